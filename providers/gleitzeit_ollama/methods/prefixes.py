"""The beginnings of a prompt, by name: a node that has read one needs not read it again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any

_MOST = 16
_FIRST_CUT = 512
_OF_IMAGE = 4096


def message_prefixes(messages: Sequence[Mapping[str, Any]], tools: Any = None) -> tuple[str, ...]:
    """The beginnings of a chat, each longer than the one before; tools stand before its messages."""
    parts = [json.dumps(tools, sort_keys=True)] if tools else []
    return _prefixes([*parts, *(_message(message) for message in messages)])


def prompt_prefixes(prompt: str, system: str | None = None, context: Sequence[int] = ()) -> tuple[str, ...]:
    """The beginnings of a prompt, each longer than the one before; its system text stands first."""
    return _prefixes([part for part in (system, json.dumps(context) if context else "", prompt) if part])


def _prefixes(parts: Iterable[str]) -> tuple[str, ...]:
    """A name for each end of a part, and for some places in long ones, where another prompt may go another way.

    Of very many the first and the last are kept: what all prompts have in common, and what a conversation goes on from.
    """
    running = blake2b(digest_size=8)
    names: list[str] = []
    for part in parts:
        for piece in _pieces(part):
            running.update(piece.encode("utf-8", "replace"))
            names.append(running.hexdigest())
        running.update(b"\0")
    return tuple(names if len(names) <= _MOST else names[: _MOST // 2] + names[-_MOST // 2 :])


def _pieces(part: str) -> Iterator[str]:
    """The text in pieces, each as long as all before it together."""
    start, end = 0, _FIRST_CUT
    while end < len(part):
        yield part[start:end]
        start, end = end, end * 2
    yield part[start:]


def _message(message: Mapping[str, Any]) -> str:
    images = [f"{len(image)}{image[:_OF_IMAGE]}" for image in message.get("images", ())]
    calls = json.dumps(message["tool_calls"], sort_keys=True) if message.get("tool_calls") else ""
    # The text comes last, so that its beginning is a beginning of the whole.
    return "\n".join([str(message["role"]), *images, calls, str(message["content"])])
