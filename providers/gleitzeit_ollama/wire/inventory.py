"""The models of a node as it lists them: those that it has, and those that it holds in memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gleitzeit.core.data import is_list, is_object
from gleitzeit_ollama.wire.foreign_json import JSON, whole


@dataclass(frozen=True, slots=True)
class Installed:
    """A model that a node has: its `name` with the tag, `size` in bytes, and the `digest` that tells its version."""

    name: str
    size: int = 0
    digest: str = ""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model in a node's memory, `size` bytes of it; `expires_at` and `context_length` where the node tells them."""

    name: str
    size: int = 0
    size_vram: int = 0
    expires_at: str | None = None
    context_length: int | None = None


def installed(answer: JSON) -> tuple[Installed, ...] | None:
    """The models of an answer to `/api/tags`, or nothing where it lists none."""
    listed = _listed(answer)
    return None if listed is None else tuple(map(_installed, listed))


def loaded(answer: JSON) -> tuple[Loaded, ...] | None:
    """The models of an answer to `/api/ps`, or nothing where it lists none."""
    listed = _listed(answer)
    return None if listed is None else tuple(map(_loaded, listed))


def _listed(answer: JSON) -> list[JSON] | None:
    models = answer.get("models")
    if models is None and "models" in answer:
        return []  # how Go writes an empty list now and then
    if not is_list(models):
        return None
    return [model for model in models if is_object(model) and isinstance(model.get("name"), str)]


def _installed(model: JSON) -> Installed:
    details = model.get("details")
    return Installed(
        model["name"], whole(model.get("size")), _text(model, "digest"), details if is_object(details) else {}
    )


def _loaded(model: JSON) -> Loaded:
    return Loaded(
        model["name"],
        whole(model.get("size")),
        whole(model.get("size_vram")),
        _text(model, "expires_at") or None,
        whole(model.get("context_length")) or None,
    )


def _text(model: JSON, name: str) -> str:
    value = model.get(name)
    return value if isinstance(value, str) else ""
