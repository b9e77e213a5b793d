"""What the pool is to those who ask it: answers of nodes, and how these stand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any
from typing import Protocol as Interface

from gleitzeit_ollama.dispatch.base import NodeState, Want
from gleitzeit_ollama.wire.foreign_json import JSON


@dataclass(frozen=True, slots=True)
class NodeReport:
    """How a node stands, for people: `models` by name, `loaded` among them, what is in flight and waits for it.

    `service_seconds` are the moving averages of what a request of a model takes there; `hint` is how to mend `error`.
    """

    node: str
    state: NodeState
    version: str | None
    error: str | None
    weight: float
    max_parallel: int | None
    in_flight: dict[str, int]
    service_seconds: dict[str, float]
    models: tuple[dict[str, Any], ...]
    hint: str | None = None


def full_name(model: str) -> str:
    """The one name of all that Ollama takes for the same: it means `llama3.2:latest` where `Llama3.2` is written."""
    short = model.lower().removeprefix("registry.ollama.ai/").removeprefix("library/")
    return short if ":" in short.rsplit("/", 1)[-1] else f"{short}:latest"


class Reply(Interface):
    """One streamed answer whose first object has come: its objects in order, the last with `done: true`.

    `node` is who gives it, as it may be shown; `cold` whether the model had to be loaded first; `waited` the seconds
    until a node took it; `tries` how many nodes were asked.
    """

    node: str
    cold: bool
    waited: float
    tries: int

    def __aiter__(self) -> AsyncIterator[JSON]: ...


class Pool(Interface):
    """Nodes that answer as one; all that speaks to Ollama goes through it. Raises errors of `gleitzeit.core.errors`."""

    def stream(self, path: str, payload: Mapping[str, Any], want: Want) -> AbstractAsyncContextManager[Reply]:
        """Have a streamed request answered by the node that suits best, once its turn has come.

        As long as no byte has come, a node that fails is replaced by another. Leaving early stops the model.
        """
        ...

    async def ask(self, path: str, payload: Mapping[str, Any], want: Want) -> tuple[JSON, Reply]:
        """The same for a request that is answered at once, such as `/api/embed`."""
        ...

    def places(self, model: str) -> int:
        """How many requests of a model all nodes together answer at once, as far as is known; at least 1."""
        ...

    async def look(self) -> Sequence[NodeReport]:
        """Ask all nodes how they stand now, within a few seconds, and tell."""
        ...

    async def versions(self, model: str) -> frozenset[str]:
        """The digests of a model on the nodes that have it: what tells one version of it from the next."""
        ...
