"""What a tool answers: text that is enough by itself, and the same as data."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

BYTES_A_TOKEN = 4
_STARTS = 400
_FEWEST = 20


@dataclass(frozen=True, slots=True)
class Answer:
    """The text and the data of one result; `failed` tells the model that it has to do something about it."""

    text: str
    data: Mapping[str, Any]
    failed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", _encodable(self.text))


def compact(value: Any) -> str:
    """`value` as JSON without spaces; what JSON can't say is said as text."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
    return _encodable(text)


def plain(value: Any) -> Any:
    """`value` as data that every transport can carry."""
    return json.loads(compact(value), parse_constant=str)


def size(text: str) -> int:
    """How much room a text takes on the wire and in a model's context, in bytes."""
    return len(text.encode(errors="replace"))


def cut(text: str, most: int) -> str:
    """At most about `most` bytes of `text`, saying so where something is missing."""
    data = text.encode(errors="replace")
    if len(data) <= most:
        return text
    return f"{data[:most].decode(errors='ignore')}… (cut: {len(data)} bytes)"


def preview(values: Mapping[str, Any], budget: int) -> dict[str, Any]:
    """Size and start of each value, within about `budget` bytes in all."""
    shown = list(values)[: max(_FEWEST, budget // (2 * _STARTS))]
    most = min(_STARTS, budget // (len(shown) + 1))
    starts = {name: _start(compact(values[name]), most) for name in shown}
    omitted = len(values) - len(shown)
    return {**starts, "…": {"omitted": omitted}} if omitted else starts


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


def _start(text: str, most: int) -> dict[str, Any]:
    data = text.encode()
    return {"size": len(data), "start": data[:most].decode(errors="ignore")}
