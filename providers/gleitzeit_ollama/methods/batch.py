"""Batches: several prompts, or conversations, in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.core.data import is_list
from gleitzeit.core.errors import ValidationError
from gleitzeit_ollama.methods.tools import offers_downstream


def batch_of(method: str, parameters: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """The parameters of each call that a batch stands for, in order; nothing where it is one call.

    A list in `prompt`, or of conversations in `messages`, is a batch; all else is the same for each of them. Raises
    `ValidationError` for a mixture.
    """
    name = _batched(method, parameters)
    if name is None:
        return None
    if offers_downstream(parameters.get("tools")):
        raise ValidationError(
            f"{method}: a batch cannot use the tools of MCP servers",
            hint="write one conversation, and `foreach` over the list: each item is then a task of its own",
        )
    items: Sequence[Any] = parameters[name]
    return [{**parameters, name: item} for item in items]


def _batched(method: str, parameters: Mapping[str, Any]) -> str | None:
    """The parameter that is a list of items, if there is one."""
    if is_list(parameters.get("prompt")):
        return "prompt"
    messages = parameters.get("messages")
    if not is_list(messages) or not any(is_list(item) for item in messages):
        return None
    single = next((index for index, item in enumerate(messages) if not is_list(item)), None)
    if single is not None:
        raise ValidationError(
            f"{method}: messages[{single}] is one message, and others are lists of them",
            hint="a batch is a list of conversations, each a list of messages",
        )
    return "messages"
