"""Data that is put into a document without meaning anything there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast


def literal(value: Any) -> Any:
    """`value` written so that a document gives it back unchanged: `${` as `$${`, at any depth."""
    if isinstance(value, str):
        return value.replace("${", "$${")
    if isinstance(value, Mapping):
        return {key: literal(item) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [literal(item) for item in cast("Sequence[Any]", value)]
    return value
