"""The messages of a chat, from how people and references give them to how Ollama takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.core.errors import ValidationError
from gleitzeit_ollama.methods.images import IMAGES_SCHEMA
from gleitzeit_ollama.methods.parts import is_parts, joined
from gleitzeit_ollama.methods.wording import as_text

_MESSAGE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "role": {"enum": ["system", "user", "assistant", "tool"], "default": "user"},
        "content": {"description": "Its text; other data is given to the model as JSON."},
        "images": IMAGES_SCHEMA,
        "thinking": {"type": "string"},
        "tool_calls": {"type": "array", "items": {"type": "object"}},
        "tool_name": {"type": "string"},
        "tool_call_id": {"type": "string"},
    },
    "additionalProperties": False,
}

MESSAGES_SCHEMA: Mapping[str, Any] = {
    "type": ["array", "string"],
    "minItems": 1,
    "description": "The conversation. A text alone is one message of the user; a list of conversations is a batch.",
    "items": {
        **_MESSAGE,
        "type": ["object", "array"],
        "items": _MESSAGE,
        "minItems": 1,
        "examples": [{"role": "user", "content": "..."}],
    },
}


def wire_messages(method: str, messages: str | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The messages as Ollama takes them: each with a role, each content a text, each image in base64 as it came.

    Raises `ValidationError` where a message says nothing.
    """
    if isinstance(messages, str):
        return [{"role": "user", "content": messages}]
    return [_message(f"{method}: messages[{index}]", message) for index, message in enumerate(messages)]


def _message(place: str, message: Mapping[str, Any]) -> dict[str, Any]:
    content, images = message.get("content"), _images(message.get("images"))
    if content is None and not images and not message.get("tool_calls"):
        raise ValidationError(
            f"{place}.content is {'null' if 'content' in message else 'missing'}",
            hint="a reference to a task that was skipped is null",
        )
    if is_parts(content):
        content, of_parts = joined(place, content)
        images = [*images, *of_parts]
    read = {"role": message.get("role", "user"), "content": as_text(content)}
    rest = {name: value for name, value in message.items() if name != "images"}
    return {**rest, **read, "images": images} if images else {**rest, **read}


def _images(given: Any) -> list[str]:
    return [given] if isinstance(given, str) else list(given or ())
