"""What the fake says: the same to the same request, or what a test has it say."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gleitzeit.core.data import is_object


@dataclass(frozen=True, slots=True)
class Asked:
    """One request to a model."""

    path: str
    body: Mapping[str, Any]

    @property
    def prompt(self) -> str:
        """What was said last."""
        messages = self.body.get("messages") or [{"content": self.body.get("prompt")}]
        return str(messages[-1].get("content") or "")

    @property
    def options(self) -> Mapping[str, Any]:
        """The options of the request; none is an empty one."""
        return self.body.get("options") or {}

    def tokens(self) -> int:
        """How many words its prompt has, which are the tokens of the fake."""
        said = [str(message.get("content") or "") for message in self.body.get("messages") or ()]
        return sum(len(pieces(text)) for text in [*said, str(self.body.get("prompt") or "")])


@dataclass(frozen=True, slots=True)
class Answer:
    """What a model says; `tool_calls` as `{"name": ..., "arguments": {...}}`."""

    text: str = ""
    thinking: str = ""
    tool_calls: Sequence[Mapping[str, Any]] = field(default_factory=tuple[Mapping[str, Any], ...])
    done_reason: str = "stop"


Answers = Callable[[Asked], Answer | str]


def echo(asked: Asked) -> Answer:
    """Repeats what was said, or makes data that fits the format that is asked for."""
    if asked.body.get("format"):
        return Answer(json.dumps(sample(asked.body["format"])))
    return Answer(f"You said: {asked.prompt}", thinking="Let me see.")


def cut(answer: Answer | str, asked: Asked) -> Answer:
    """The answer as far as `stop` and `num_predict` let it come."""
    whole = Answer(answer) if isinstance(answer, str) else answer
    ends = [place for word in asked.options.get("stop") or () if (place := whole.text.find(word)) >= 0]
    text = whole.text[: min(ends)] if ends else whole.text
    most = asked.options.get("num_predict", -1)
    if 0 <= most < len(pieces(text)):
        return Answer("".join(pieces(text)[:most]), whole.thinking, whole.tool_calls, "length")
    return Answer(text, whole.thinking, whole.tool_calls, whole.done_reason)


def pieces(text: str) -> list[str]:
    """The text in tokens: words, each with the space before it."""
    return re.findall(r"\s*\S+|\s+$", text)


def sample(schema: Any) -> Any:
    """Data that fits a plain JSON Schema."""
    wanted = schema if is_object(schema) else dict[str, Any]()
    if "enum" in wanted:
        return wanted["enum"][0]
    match wanted.get("type"):
        case "string":
            return "text"
        case "integer" | "number":
            return 1
        case "boolean":
            return True
        case "array":
            return [sample(wanted.get("items"))]
        case _:
            properties: Mapping[str, Any] = wanted.get("properties") or {}
            return {name: sample(inner) for name, inner in properties.items()}


def vector(text: str, width: int) -> list[float]:
    """Numbers for a text: the same for the same one, and for no other."""
    digest = hashlib.shake_128(text.encode()).digest(width * 2)
    return [int.from_bytes(digest[2 * at : 2 * at + 2]) / 16384 - 2 for at in range(width)]


def unit(numbers: Sequence[float]) -> list[float]:
    """The vector of length 1 in the same direction."""
    length = math.sqrt(sum(number * number for number in numbers)) or 1.0
    return [number / length for number in numbers]
