"""What a model asks to be called, which it may have written in many ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.data import is_list, is_mapping, is_object, kind_of
from gleitzeit_ollama.wire.foreign_json import json_value


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call: the `name` that the model wrote, and its arguments, or the `problem` that they have.

    `written` is the call as it came, `id` what its result has to name, where the model gave it one.
    """

    name: str
    arguments: Mapping[str, Any]
    problem: str | None
    written: Mapping[str, Any]
    id: str | None = None

    @property
    def wire(self) -> dict[str, Any]:
        """The call as a message that Ollama takes again: its arguments are an object there."""
        function = self.written.get("function")
        named = function if is_mapping(function) else {"name": self.name}
        return {**self.written, "function": {**named, "arguments": dict(self.arguments)}}

    def answer(self, text: str) -> dict[str, Any]:
        """The message that tells the model what came of it."""
        message = {"role": "tool", "content": text, "tool_name": self.name}
        return message if self.id is None else {**message, "tool_call_id": self.id}


def tool_calls(asked: Any) -> list[ToolCall]:
    """The calls in the `tool_calls` of an answer, in order."""
    return [_read(call) for call in asked if is_mapping(call)] if is_list(asked) else []


def with_answers(message: Mapping[str, Any], calls: Sequence[ToolCall], texts: Sequence[str]) -> list[dict[str, Any]]:
    """The messages that a step adds to a conversation: what the model said, and what came of the first calls of it."""
    said = {**message, "tool_calls": [call.wire for call in calls]}
    return [said, *(call.answer(text) for call, text in zip(calls, texts, strict=False))]


def _read(call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function")
    named = function if is_mapping(function) else call
    arguments, problem = _arguments(named.get("arguments"))
    identity = call.get("id")
    return ToolCall(
        str(named.get("name") or ""), arguments, problem, call, identity if isinstance(identity, str) else None
    )


def _arguments(written: Any) -> tuple[dict[str, Any], str | None]:
    """The arguments, which some models write as JSON text."""
    value: Any = written
    if written is None or written == "":
        return {}, None
    if isinstance(value, str):
        try:
            value = json_value(value)
        except ValueError as error:
            return {}, f"its arguments are not JSON: {error}"
    return (value, None) if is_object(value) else ({}, f"its arguments are {kind_of(value)}, not an object")
