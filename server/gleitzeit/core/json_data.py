"""Python values as plain JSON data."""

from __future__ import annotations

import math
from typing import Any

from gleitzeit.core.data import PathKey, is_mapping, is_sequence, kind_of
from gleitzeit.core.reading.marks import Problem
from gleitzeit.core.reading.text import MAX_DEPTH

_HINT = "pass text, numbers, true, false, null, lists and objects"


def as_json(value: Any, problems: list[Problem], path: tuple[PathKey, ...] = ()) -> Any:
    """A copy of `value` as JSON data; what is none is added to `problems`."""
    if isinstance(value, str):
        return _text(value, problems, path)
    if value is None or isinstance(value, (bool, int)):
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            problems.append(Problem("not_json", f"{value} is not a number that JSON has", path))
        return value
    if len(path) >= MAX_DEPTH:
        problems.append(Problem("limit", f"values are nested deeper than {MAX_DEPTH}", path[:8]))
        return None
    if is_mapping(value):
        return {_key(key, problems, path): as_json(item, problems, (*path, str(key))) for key, item in value.items()}
    if is_sequence(value):
        return [as_json(item, problems, (*path, index)) for index, item in enumerate(value)]
    problems.append(Problem("not_json", f"{kind_of(value)} is not JSON data", path, _HINT))
    return None


def _key(key: Any, problems: list[Problem], path: tuple[PathKey, ...]) -> str:
    if not isinstance(key, str):
        problems.append(Problem("key_not_text", f"the key {key!r} is not text", path, f'write "{key}"'))
    return str(key)


def _text(value: str, problems: list[Problem], path: tuple[PathKey, ...]) -> str:
    if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
        problems.append(Problem("not_json", "a text has half of a character (a lone surrogate)", path))
    return str(value)
