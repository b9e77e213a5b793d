"""What tells JSON data apart: one text for equal data, and a short digest of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, cast

from gleitzeit.core.data import is_mapping, is_sequence


def canonical_text(value: Any) -> str:
    """JSON text that is the same for equal JSON data: keys sorted, nothing between them, a float such as 2.0 as 2.

    Raises `TypeError` or `ValueError` for what is not JSON data.
    """
    text = _encode(value)
    return _encode(_with_whole_numbers(value)) if ".0" in text or "e+" in text else text


def digest(*parts: Any) -> str:
    """32 characters that differ for different JSON data."""
    return hashlib.blake2b(canonical_text(parts).encode(), digest_size=16).hexdigest()


def fingerprint(value: Any) -> str:
    """64 characters, the SHA-256 of the canonical text of JSON data; for anything else a word that says so."""
    try:
        return hashlib.sha256(canonical_text(value).encode()).hexdigest()
    except (TypeError, ValueError, RecursionError):
        return "not JSON"


def _with_whole_numbers(value: Any) -> Any:
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if is_mapping(value):
        return {key: _with_whole_numbers(item) for key, item in value.items()}
    if is_sequence(value):
        return [_with_whole_numbers(item) for item in value]
    return value


def _plain(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    raise TypeError(f"{type(value).__name__} is not JSON data")


_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain).encode
