"""JSON data as type checkers understand it, and paths into it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

PathKey = str | int
"""The name of a field, or the position of an item."""


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether `value` is a list."""
    return isinstance(value, list)


def is_sequence(value: object) -> TypeGuard[list[Any] | tuple[Any, ...]]:
    """Whether `value` is a list or a tuple."""
    return isinstance(value, (list, tuple))


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether `value` is a dict; the keys of JSON data are text."""
    return isinstance(value, dict)


def is_mapping(value: object) -> TypeGuard[Mapping[str, Any]]:
    """Whether `value` is a mapping; the keys of JSON data are text."""
    return isinstance(value, dict) or isinstance(value, Mapping)  # noqa: SIM101 - asking an ABC takes ten times as long


def kind_of(value: object) -> str:
    """What a value is, in plain words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    if isinstance(value, str):
        return "text"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a number"
    if is_sequence(value):
        return "a list"
    if is_mapping(value):
        return "an object"
    return f"a Python {type(value).__name__}"


def path_text(path: Sequence[PathKey]) -> str:
    """A path as people write it: `tasks[2].parameters["content-type"]`."""
    text = ""
    for key in path:
        if isinstance(key, int):
            text += f"[{key}]"
        elif not text and key:
            text = key
        else:
            text += f".{key}" if key.isidentifier() else f'["{key}"]'
    return text
