"""What a tool answers: text that is enough by itself, and the same as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import mcp_types as types
from pydantic_core import to_json

BYTES_A_TOKEN = 4

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
_decode = json.JSONDecoder(parse_constant=str).decode

SIZE = "gleitzeit/size"
"""The key in `_meta` under which the size of a content stands, or that of which only a part is shown, in bytes."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Where all of what an answer shows a part of can be read, and how many bytes it has."""

    uri: str
    name: str
    size: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The text and the data of one result; `failed` tells the model that it has to do something about it.

    `whole` is given where only a part is shown. `result` is what another server has answered, and is passed on.
    """

    text: str
    data: Mapping[str, Any]
    failed: bool = False
    whole: Whole | None = None
    result: types.CallToolResult | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", _encodable(self.text))


def compact(value: Any) -> str:
    """`value` as JSON without spaces; what JSON can't say is said as text."""
    try:
        return to_json(value, fallback=str).decode()
    except ValueError:  # it has halves of characters, or is nested deeper than that library goes
        return _encodable(_encode(value))


def plain(value: Any) -> Any:
    """`value` as data that every transport can carry."""
    return _decode(compact(value))


def with_text(value: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """What was recorded as `compact` has it, and as `plain` does, which costs nothing where it is plain already."""
    try:
        return to_json(value).decode(), value
    except ValueError:
        return compact(value), plain(value)


def size(text: str) -> int:
    """How much room a text takes on the wire and in a model's context, in bytes."""
    return len(text.encode(errors="replace"))


def cut(text: str, most: int) -> str:
    """At most about `most` bytes of `text`, saying so where something is missing."""
    data = text.encode(errors="replace")
    if len(data) <= most:
        return text
    return f"{data[:most].decode(errors='ignore')}… (cut: {len(data)} bytes)"


def fitting(items: list[dict[str, Any]], budget: int) -> list[dict[str, Any]]:
    """As many of the first items as fit into `budget` bytes."""
    for index, item in enumerate(items):
        budget -= size(compact(item))
        if budget < 0:
            return items[:index]
    return items


def ended(text: str) -> str:
    """The text with a full stop, unless it has an end of its own."""
    return text if text.endswith((".", "?", "!")) else f"{text}."


def _encodable(text: str) -> str:
    """The text without halves of characters, which no wire carries."""
    return text if text.isascii() else text.encode(errors="replace").decode()
