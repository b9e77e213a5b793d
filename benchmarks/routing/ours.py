"""The dispatcher of the Ollama pool, on the simulated nodes: it learns what it would over HTTP, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.routing.scenarios import Scenario
from benchmarks.routing.simulation import Clock, OllamaNode, Request
from gleitzeit_ollama.dispatch.base import NodeView, Want
from gleitzeit_ollama.dispatch.dispatcher import Dispatcher
from gleitzeit_ollama.dispatch.line import Ticket


class Dispatched:
    """Requests wait in the dispatcher until it sends them."""

    def __init__(self, scenario: Scenario, nodes: Sequence[OllamaNode], clock: Clock, seed: int) -> None:
        self._nodes = {str(at): node for at, node in enumerate(nodes)}
        self._clock = clock
        self._models = [model.name for model in scenario.models]
        self._dispatcher = Dispatcher(max_queue=scenario.requests)
        self._tickets: dict[int, Ticket] = {}
        self._requests: dict[Ticket, Request] = {}

    def arrive(self, request: Request) -> None:
        """A request has come."""
        self._enter(request)
        self._send()

    def changed(self) -> None:
        """A node went or came."""
        self.look()

    def look(self) -> None:
        """Time to look at the nodes."""
        for name, node in self._nodes.items():
            self._dispatcher.see(name, self._view(node))
        self._send()

    def began(self, request: Request) -> None:
        """Its first byte came."""
        ticket = self._tickets[request.number]
        self._dispatcher.began(ticket, self._clock.now)
        if ticket.cold and ticket.node is not None:
            # A load may have driven others out: the pool asks who is left.
            self._dispatcher.see(ticket.node, self._view(self._nodes[ticket.node]))
        self._send()

    def ended(self, request: Request, load_seconds: float, prompt_seconds: float) -> None:
        """It is answered."""
        self._dispatcher.ended(self._tickets[request.number], self._clock.now, load_seconds, prompt_seconds)
        self._send()

    def broken(self, request: Request) -> None:
        """Its node vanished: the node is known to be down from the first of them on."""
        ticket = self._tickets[request.number]
        self._dispatcher.failed(ticket, self._clock.now)
        if ticket.node is not None:
            self._dispatcher.see(ticket.node, self._view(self._nodes[ticket.node]))
            self._enter(request, {ticket.node})
        self._send()

    def _enter(self, request: Request, without: set[str] | None = None) -> None:
        prefix = () if request.prefix is None else (request.prefix,)
        want = Want(request.model.name, prefix=prefix, run=request.run)
        ticket = self._dispatcher.enter(want, self._clock.now, without or ())
        self._tickets[request.number] = ticket
        self._requests[ticket] = request

    def _send(self) -> None:
        for placement in self._dispatcher.assign(self._clock.now):
            self._nodes[placement.node].take(self._requests[placement.ticket], self)

    def _view(self, node: OllamaNode) -> NodeView:
        shape = node.shape
        return NodeView(
            state="healthy" if node.up else "down",
            weight=shape.weight,
            max_parallel=shape.slots if shape.told else None,
            installed=frozenset(model for model in self._models if node.has(model)),
            loaded=node.loaded if node.up else frozenset(),
        )
