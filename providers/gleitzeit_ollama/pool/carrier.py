"""Having a request answered: by one node, or by the next as long as nothing of the answer has come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from gleitzeit.core.errors import GleitzeitError
from gleitzeit_ollama.pool.errand import Errand
from gleitzeit_ollama.pool.fleet import Fleet
from gleitzeit_ollama.pool.node import Node
from gleitzeit_ollama.pool.replies import NodeReply
from gleitzeit_ollama.pool.retries import is_model_missing, is_of_the_node, may_be_of_a_text, pause, spread
from gleitzeit_ollama.pool.turns import Turn
from gleitzeit_ollama.settings import OllamaSettings
from gleitzeit_ollama.wire.patience import Patience

_Answer = TypeVar("_Answer")


class Carrier:
    """Carries requests to the nodes of a fleet, and keeps what the answers show of them."""

    def __init__(self, fleet: Fleet, settings: OllamaSettings) -> None:
        self._fleet = fleet
        self._settings = settings

    async def carry(self, errand: Errand, ask: Callable[[Node, Patience], Awaitable[_Answer]]) -> tuple[_Answer, Turn]:
        """What `ask` returns at a node once the first of its answer has come; the turn there is the caller's to end.

        Raises what the last node that was asked did, or what `Fleet.turn` raises.
        """
        while True:
            turn = await self._fleet.turn(errand)
            node, patience = self._fleet.node_of(turn), self._patience(errand, turn)
            try:
                with node.beginning(errand.want.model, patience):
                    answer = await ask(node, patience)
            except GleitzeitError as error:
                turn.failed()
                if not await self._goes_on(errand, node, error, begun=patience.begun):
                    raise
            except BaseException:
                turn.left()
                raise
            else:
                self._began(errand, node, turn)
                return answer, turn

    def finish(self, errand: Errand, turn: Turn, reply: NodeReply) -> None:
        """Learn from an answer that is over, whether it came to its end or not."""
        node = self._fleet.node_of(turn)
        if reply.error is not None:
            turn.failed()
            if is_of_the_node(reply.error):
                node.refused(reply.error)
        elif reply.whole:
            turn.ended(*reply.shares)
            node.ended()
            if errand.unloads:
                node.saw_unloaded(errand.want.model)
        else:
            turn.left()
        self._fleet.note(node)

    def _began(self, errand: Errand, node: Node, turn: Turn) -> None:
        turn.began()
        node.began(errand.want.model)
        if turn.cold:
            node.ring()  # only a look tells which models had to leave
        self._fleet.note(node)

    def _patience(self, errand: Errand, turn: Turn) -> Patience:
        settings = self._settings
        idle = max(settings.timeout, settings.load_timeout) if errand.keeps_back else settings.timeout
        if turn.cold or turn.behind:
            return Patience(settings.load_timeout, idle)
        return Patience(idle, idle, setting="load_timeout" if errand.keeps_back else "timeout")

    async def _goes_on(self, errand: Errand, node: Node, error: GleitzeitError, *, begun: bool) -> bool:
        """Whether a request that failed is sent again, once it is time to; the node's failure is noted."""
        if is_model_missing(error):
            return await self._without_model(errand, node)
        if not is_of_the_node(error):
            return False
        if not (errand.embeds and may_be_of_a_text(error)):
            node.refused(error)
            self._fleet.note(node)
        errand.failures += 1
        errand.without.add(node.name)
        if begun or errand.failures > self._settings.max_retries:
            return False
        return self._fleet.hopeful(errand) or await self._again(errand, error)

    async def _without_model(self, errand: Errand, node: Node) -> bool:
        """A node that has no such model any more is not asked again; one that says so wrongly, or twice, has failed."""
        await self._fleet.lookout.look_at(node, fresh=True)
        if node.has(errand.want.model) or node.name in errand.lost:
            errand.failures += 1
            errand.without.add(node.name)
        errand.lost.add(node.name)
        return errand.failures <= self._settings.max_retries

    async def _again(self, errand: Errand, error: GleitzeitError) -> bool:
        """After all nodes failed: wait and begin anew, if it may have passed by then."""
        seconds = pause(error, errand.failures, self._settings.max_retries)
        if seconds is not None:
            await anyio.sleep(spread(seconds))
            errand.without.clear()
        return seconds is not None
