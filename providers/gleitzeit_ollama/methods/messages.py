"""The messages of a chat, from how people and references give them to how Ollama takes them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.core.data import is_list, is_object
from gleitzeit.core.errors import ValidationError

_PART_TYPES = ("text", "input_text", "image_url", "input_image")

MESSAGES_SCHEMA: Mapping[str, Any] = {
    "type": ["array", "string"],
    "minItems": 1,
    "description": "The conversation. A text alone is one message of the user.",
    "items": {
        "type": "object",
        "properties": {
            "role": {"enum": ["system", "user", "assistant", "tool"], "default": "user"},
            "content": {"description": "Its text; other data is given to the model as JSON."},
            "thinking": {"type": "string"},
            "tool_calls": {"type": "array", "items": {"type": "object"}},
            "tool_name": {"type": "string"},
            "tool_call_id": {"type": "string"},
        },
        "additionalProperties": False,
    },
}


def wire_messages(messages: str | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages as Ollama takes them: each with a role, each content a text.

    Raises `ValidationError` where a message says nothing.
    """
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return [_message(index, message) for index, message in enumerate(messages)]


def _message(index: int, message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    if content is None and not message.get("tool_calls"):
        raise ValidationError(
            f"llm/chat: messages[{index}].content is {'null' if 'content' in message else 'missing'}",
            hint="a reference to a task that was skipped is null",
        )
    return {**message, "role": message.get("role", "user"), "content": _text(index, content)}


def _text(index: int, content: Any) -> str:
    if content is None:
        return ""
    if isinstance(content, str):
        return content
    if _is_parts(content):
        return _joined(index, content)
    return json.dumps(content, ensure_ascii=False, separators=(",", ":"))


def _is_parts(content: Any) -> bool:
    """Whether it is a list like `[{type: text, text: ...}]`, which other services take."""
    if not is_list(content) or not content:
        return False
    return all(is_object(part) and part.get("type") in _PART_TYPES for part in content)


def _joined(index: int, parts: Sequence[Mapping[str, Any]]) -> str:
    for number, part in enumerate(parts):
        if not isinstance(part.get("text"), str):
            raise ValidationError(
                f"llm/chat: messages[{index}].content[{number}] is no text", hint="llm/chat takes text alone"
            )
    return "".join(str(part["text"]) for part in parts)
