"""Keys that are documented but that this version can't honour: refused, for ignoring them would be a false promise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gleitzeit.core.errors import UnsupportedError

COMES_LATER: Mapping[str, str] = {
    "engine.kind=temporal": "runs are carried out by the local engine only",
}
"""What is refused, and what this version does instead."""


def refuse_later_keys(values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    """Raise `UnsupportedError` naming the first key that this version can't honour and where it is written."""
    for entry, instead in COMES_LATER.items():
        key, _, only = entry.partition("=")
        value = _at(values, key)
        if value is None or (only and value != only):
            continue
        origin = f" ({origins[key]})" if key in origins else ""
        raise UnsupportedError(
            f"{key}{origin} is not supported by this version: {instead}", hint=f"remove {key} to go on without it"
        )


def _at(values: Mapping[str, Any], key: str) -> Any:
    value: Any = values
    for part in key.split("."):
        if not isinstance(value, Mapping):
            return None
        value = cast("Mapping[str, Any]", value).get(part)
    return value
