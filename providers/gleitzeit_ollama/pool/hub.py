"""`OllamaHub`: many Ollama nodes as one."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Any, Self

from gleitzeit.core.sections import read_section
from gleitzeit.providers.base import Readiness
from gleitzeit_ollama.dispatch.base import Want
from gleitzeit_ollama.pool.base import NodeReport, full_name
from gleitzeit_ollama.pool.carrier import Carrier
from gleitzeit_ollama.pool.errand import Errand
from gleitzeit_ollama.pool.fleet import Fleet
from gleitzeit_ollama.pool.node import Node
from gleitzeit_ollama.pool.replies import NodeReply
from gleitzeit_ollama.settings import SECTION, OllamaSettings
from gleitzeit_ollama.wire.foreign_json import JSON
from gleitzeit_ollama.wire.patience import Patience


class OllamaHub:
    """A `Pool` of the nodes that `config` (the section `providers.ollama`) names, and those found on this machine.

    Belongs to the event loop in which it is used first; nothing is connected before that. `serve` looks after the nodes
    for as long as it runs; without it a node is looked at when a request finds none.
    """

    def __init__(self, config: OllamaSettings | Mapping[str, Any] | None = None) -> None:
        settings = read_section(OllamaSettings, config or {}, SECTION)
        self._fleet = Fleet(settings)
        self._carrier = Carrier(self._fleet, settings)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections; what waits or is being answered fails."""
        await self._fleet.aclose()

    async def serve(self, *, task_status: Readiness) -> None:
        """Keep looking how the nodes are and what they have, from the first request on, until cancelled."""
        task_status.started()
        await self._fleet.lookout.watch()

    @asynccontextmanager
    async def stream(self, path: str, payload: Mapping[str, Any], want: Want) -> AsyncGenerator[NodeReply]:
        """Have a streamed request answered by the node that suits best, once its turn has come.

        As long as no byte has come, a node that fails is replaced by another. Leaving early stops the model. Raises
        `LimitError` where too many wait, `ProviderUnavailableError` where no node can be asked, `ProviderError` where
        none has the model or the last one failed, `ConnectionLostError` or `TimeoutError` for an answer that stops.
        """
        errand = Errand(payload, want)
        async with AsyncExitStack() as over, AsyncExitStack() as answering:

            async def ask(node: Node, patience: Patience) -> AsyncIterator[JSON]:
                return await answering.enter_async_context(node.client.stream(path, payload, patience))

            objects, turn = await self._carrier.carry(errand, ask)
            reply = NodeReply(objects, turn, errand)
            # Only once the connection is free again, or hung up, is the node free for the next.
            over.callback(self._carrier.finish, errand, turn, reply)
            yield reply

    async def ask(self, path: str, payload: Mapping[str, Any], want: Want) -> tuple[JSON, NodeReply]:
        """The same for a request whose answer is one object; raises the same."""
        errand = Errand(payload, want)

        async def ask(node: Node, patience: Patience) -> JSON:
            return await node.client.post(path, payload, patience)

        answer, turn = await self._carrier.carry(errand, ask)
        reply = NodeReply.of(answer, turn, errand)
        self._carrier.finish(errand, turn, reply)
        return answer, reply

    def places(self, model: str) -> int:
        """How many requests of a model all nodes together answer at once, as far as is known; at least 1."""
        return self._fleet.places(full_name(model))

    async def look(self) -> Sequence[NodeReport]:
        """Ask all nodes how they stand now, within a few seconds, and tell."""
        await self._fleet.lookout.look()
        return self._fleet.reports()

    async def versions(self, model: str) -> frozenset[str]:
        """The digests of a model on the nodes that have it: what tells one version of it from the next."""
        return await self._fleet.versions(full_name(model))
