"""Words and schemas of strangers, as a host may show them to a model: bounded, and without what nobody sees."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_list, is_mapping
from gleitzeit.core.schema import check_schema
from gleitzeit.mcp_server.rendering.answer import compact, size

LONGEST_DESCRIPTION = 2_000
LONGEST_TITLE = 200
LARGEST_SCHEMA = 16_384

_AS_HEADER = "x-mcp-header"  # asks clients to send a parameter as a header too, for whoever stands before that server
_DEEPEST = 32
_HIDDEN = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_PROPERTY = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
_WORDS = frozenset({"title", "description", "$comment"})
_TEXTS = frozenset({*_WORDS, "$schema", "$id", "format"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
_DATA = frozenset({"enum", "const", "default", "examples", "required"})
_CHOICES = frozenset({"oneOf", "anyOf", "allOf", "not", "if", "then", "else", "$ref"})


class _UnfitError(Exception):
    """A schema that some host refuses, and with it all other tools."""


def cleaned(text: str) -> str:
    """The text without control characters, marks that turn it around, and characters that can't be seen."""
    shown = text if text.isascii() else _HIDDEN.sub("", text)
    return "".join(_shown(character) for character in shown.replace("\r\n", "\n")).strip()


def one_line(text: str, most: int = LONGEST_TITLE) -> str:
    """The text in one line of at most `most` bytes."""
    return shortened(" ".join(cleaned(text).split()), most)


def shortened(text: str, most: int) -> str:
    """At most `most` bytes of the text, with an ellipsis where something is missing."""
    data = text.encode(errors="replace")
    return text if len(data) <= most else f"{data[: most - 3].decode(errors='ignore')}…"


def shown_schema(schema: Mapping[str, Any]) -> dict[str, Any] | None:
    """The schema of a tool's arguments as every host takes it, its words cleaned; nothing where there is none.

    What hosts refuse is left out, such as choices at the top: whoever carries the call out knows them.
    """
    top = {key: value for key, value in schema.items() if key not in _CHOICES}
    try:
        shown = {**_schema(top, 0), "type": "object"}
    except _UnfitError:
        return None
    return shown if size(compact(shown)) <= LARGEST_SCHEMA and not check_schema(shown) else None


def _schema(schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
    return {key: _part(key, value, depth + 1) for key, value in schema.items() if _is_fit(key, value)}


def _is_fit(key: str, value: Any) -> bool:
    return key != _AS_HEADER and key.isprintable() and (key not in _TEXTS or isinstance(value, str))


def _part(key: str, value: Any, depth: int) -> Any:
    if depth > _DEEPEST:
        raise _UnfitError
    if key in _WORDS and isinstance(value, str):
        return shortened(cleaned(value), LONGEST_DESCRIPTION)
    if key in _NAMED and is_mapping(value):
        if key == "properties" and not all(_PROPERTY.fullmatch(str(name)) for name in value):
            raise _UnfitError
        # Hosts take no true or false for the schema of a parameter.
        anything: dict[str, Any] = {}
        return {name: anything if isinstance(each, bool) else _nested(each, depth + 1) for name, each in value.items()}
    return value if key in _DATA else _nested(value, depth)


def _nested(value: Any, depth: int) -> Any:
    if is_mapping(value):
        try:
            return _schema(value, depth)
        except _UnfitError:  # anything of its type may be given there, and whoever carries it out knows better
            return {key: value[key] for key in ("type",) if key in value}
    if is_list(value):
        return [_nested(each, depth) for each in value]
    return cleaned(value) if isinstance(value, str) else value


def _shown(character: str) -> str:
    if character == "\n" or character.isprintable():
        return character
    return " " if character in "\t\r\v\f" or unicodedata.category(character)[0] == "Z" else ""
