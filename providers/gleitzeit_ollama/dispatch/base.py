"""What a request needs of a node, and what a node offers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

LoadOptions = tuple[tuple[str, Any], ...]

NodeState = Literal["unknown", "healthy", "trial", "down"]


@dataclass(frozen=True, slots=True)
class Want:
    """What a request needs: its `model` by its full name, `llama3.2:latest`.

    `load` are the options that the model has to be loaded with, by name, in order: other ones load it again.
    `prefix` names the beginnings of its prompt, the shortest first: a node that has seen one has it at hand.
    `run` is whose turn it takes.
    """

    model: str
    load: LoadOptions = ()
    prefix: tuple[str, ...] = ()
    run: str = ""


@dataclass(frozen=True, slots=True)
class NodeView:
    """What is known of a node from asking it; `max_parallel` is how much it does at once, where that is configured.

    `unknown` was never reached so far, `trial` was down and may be tried with one request. `loaded` are the models in
    its memory.
    """

    state: NodeState
    weight: float = 1.0
    max_parallel: int | None = None
    max_connections: int = 16
    installed: frozenset[str] = field(default_factory=frozenset[str])
    loaded: frozenset[str] = field(default_factory=frozenset[str])
