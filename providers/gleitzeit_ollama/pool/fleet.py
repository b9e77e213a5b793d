"""All nodes of a pool, and where there is hope for a request."""

from __future__ import annotations

from collections.abc import Mapping, Set
from functools import partial

import anyio

from gleitzeit.core.errors import GleitzeitError, ProviderUnavailableError
from gleitzeit_ollama.dispatch.base import Want
from gleitzeit_ollama.pool.base import NodeReport
from gleitzeit_ollama.pool.discovery import candidates
from gleitzeit_ollama.pool.errand import Errand
from gleitzeit_ollama.pool.lookout import Lookout
from gleitzeit_ollama.pool.missing import model_down, model_missing, no_node
from gleitzeit_ollama.pool.node import Node
from gleitzeit_ollama.pool.pulls import Pulls
from gleitzeit_ollama.pool.retries import is_model_missing, pause, spread
from gleitzeit_ollama.pool.turns import Turn, Turns
from gleitzeit_ollama.settings import OllamaSettings


class Fleet:
    """The nodes of a configuration for as long as one event loop has them open."""

    def __init__(self, settings: OllamaSettings) -> None:
        self._settings = settings
        self._open = True
        self._nodes = _nodes(settings)
        self._turns = Turns(settings.max_queue, self._hopeful)
        self._pulls = Pulls(settings.load_timeout)
        looked = partial(self.note, looked=True)
        self.lookout = Lookout(self._nodes, looked, interval=settings.health_interval, timeout=settings.timeout)

    @property
    def nodes(self) -> list[Node]:
        """The nodes there are: those that are configured, and those that were found."""
        return [node for node in self._nodes.values() if node.known]

    async def aclose(self) -> None:
        """Close all connections; what waits or is being answered fails."""
        self._open = False
        self._turns.close()
        for node in self._nodes.values():
            await node.aclose()

    def note(self, node: Node, *, looked: bool = False) -> None:
        """Let routing know how a node stands now, be it after a look at it."""
        if node.known:
            self._turns.see(node.name, node.view(), looked=looked)

    def node_of(self, turn: Turn) -> Node:
        """The node that a turn is at."""
        return self._nodes[turn.node]

    def places(self, model: str) -> int:
        """How many requests of a model are answered at once, as far as is known; at least 1."""
        return self._turns.dispatcher.places(model)

    def reports(self) -> list[NodeReport]:
        """How the nodes stand, as of the last look."""
        dispatcher = self._turns.dispatcher
        return [node.report(dispatcher.in_flight(node.name), dispatcher.averages(node.name)) for node in self.nodes]

    async def versions(self, model: str) -> frozenset[str]:
        """The digests that the nodes have now for a model by its full name; those that are down are not waited for."""
        async with anyio.create_task_group() as group:
            for node in self._nodes.values():
                if node.usable or node.health.state == "unknown":
                    group.start_soon(partial(self.lookout.look_at, node, fresh=True))
        found = (node.installed.get(model) for node in self._nodes.values() if node.usable)
        return frozenset(installed.digest for installed in found if installed is not None)

    def hopeful(self, errand: Errand) -> bool:
        """Whether a node that has not failed yet may take a request."""
        return self._hopeful(errand.want, errand.without)

    async def turn(self, errand: Errand) -> Turn:
        """Wait for the right to ask a node.

        Raises `LimitError` where too many wait, `ProviderUnavailableError` where there is no node to wait for, and
        `ProviderError` where none has the model.
        """
        while True:
            while not self.hopeful(errand):
                await self._find(errand)
            turn = await self._turns.take(errand.want, errand.without)
            if turn is not None:
                errand.taken()
                return turn
            self._check_open()

    def _hopeful(self, want: Want, without: Set[str]) -> bool:
        nodes = self._nodes.values()
        return any(node.usable and node.has(want.model) and node.name not in without for node in nodes)

    async def _find(self, errand: Errand) -> None:
        """Look at all nodes until one of them may take a request, as often as requests are repeated."""
        errand.without.clear()
        while True:
            self._check_open()
            await self.lookout.look(enough=lambda: self.hopeful(errand))
            if self.hopeful(errand):
                return
            error = self._trouble(errand)
            if is_model_missing(error) and self._settings.pull_missing and not errand.pulled:
                errand.pulled = True
                await self._pull(errand)
                return
            errand.failures += 1
            seconds = pause(error, errand.failures, self._settings.max_retries)
            if seconds is None:
                raise error
            await anyio.sleep(spread(seconds))

    def _trouble(self, errand: Errand) -> GleitzeitError:
        """Why no node may take a request."""
        asked = {name: node for name, node in self._nodes.items() if node.usable}
        wrong = {
            name: node.health.error
            for name, node in self._nodes.items()
            if name not in asked and node.health.error is not None and (node.known or node.foreign)
        }
        if not asked:
            return no_node(wrong, self._settings.discovered_ports)
        down = {name: error for name, error in wrong.items() if self._nodes[name].has(errand.want.model)}
        if down:
            return model_down(errand.model, down)
        unknown = {name: error for name, error in wrong.items() if self._nodes[name].known}
        return model_missing(errand.model, {name: list(node.installed) for name, node in asked.items()}, unknown)

    async def _pull(self, errand: Errand) -> None:
        """Have the most capable node fetch the model of a request."""
        able = [node for node in self._nodes.values() if node.usable]
        busy = self._turns.dispatcher.in_flight
        node = min(able, key=lambda node: (-node.weight, sum(busy(node.name).values())))

        async def arrived() -> bool:
            await self.lookout.look_at(node, fresh=True)
            return self.hopeful(errand)

        await self._pulls.pull(errand.model, node, arrived)

    def _check_open(self) -> None:
        if not self._open:
            raise ProviderUnavailableError(
                "the connections to Ollama were closed: Gleitzeit is shutting down", details={"again": False}
            )


def _nodes(settings: OllamaSettings) -> Mapping[str, Node]:
    most, load_timeout = settings.max_connections, settings.load_timeout
    nodes = [Node(place, max_connections=most, load_timeout=load_timeout) for place in candidates(settings)]
    return {node.name: node for node in nodes}
