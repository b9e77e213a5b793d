"""The scalars of YAML 1.2's core schema, as JSON data."""

from __future__ import annotations

import re
from typing import Any

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEAN = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
NUMBER = re.compile(rf"(?:{_BASED.pattern}|{_FLOAT.pattern})$")
"""What a scalar must be written in quotes for, to be text."""

_INFINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_FIRST = frozenset("~nNtTfF+-.0123456789")
_MAX_DIGITS = 300
_CORE = "tag:yaml.org,2002:"


class Unreadable(Exception):
    """A scalar that is no JSON data."""

    def __init__(self, code: str, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint


def scalar(text: str, tag: str | None, plain: bool) -> Any:
    """The value of a scalar; raises `Unreadable` where it is none of JSON's."""
    if tag in (None, "!"):
        return _plain(text) if plain and tag is None else text
    kind = str(tag).removeprefix(_CORE)
    if kind == "str":
        return text
    value = _plain(text)
    fits = {
        "int": isinstance(value, int) and not isinstance(value, bool),
        "float": isinstance(value, (int, float)) and not isinstance(value, bool),
        "bool": isinstance(value, bool),
        "null": value is None,
    }
    if kind not in fits:
        shown = f"!!{kind}" if kind != tag else str(tag)
        raise Unreadable("yaml_tag", f"the tag {shown} is not allowed", "write plain data, without !tags")
    if not fits[kind]:
        raise Unreadable("yaml_tag", f'"{text[:60]}" is not of the type !!{kind}')
    return float(value) if kind == "float" else value


def _plain(text: str) -> Any:
    if not text or text[0] in _FIRST:
        if text in _NULL:
            return None
        if text in _BOOLEAN:
            return _BOOLEAN[text]
        return _number(text)
    return text


def _number(text: str) -> Any:
    if _INFINITE.fullmatch(text):
        raise Unreadable(
            "not_json", f"{text} is not a number that JSON has", "put it in quotes for the text, or leave it out"
        )
    if len(text) > _MAX_DIGITS:
        if _INTEGER.fullmatch(text) or _FLOAT.fullmatch(text):
            raise Unreadable("not_json", f"a number has {len(text)} digits", "put it in quotes for the text")
        return text
    if _INTEGER.fullmatch(text):
        return int(text)
    if _BASED.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if value in (float("inf"), float("-inf")):
            raise Unreadable("not_json", f"{text} is larger than a number can be", "put it in quotes for the text")
        return value
    return text


def key_text(data: Any, source: str, plain: bool) -> str | None:
    """A key as text: words such as `on`, `yes` and `true` are themselves; nothing for numbers and null."""
    if isinstance(data, str):
        return data
    if isinstance(data, bool) and plain:
        return source
    return None
