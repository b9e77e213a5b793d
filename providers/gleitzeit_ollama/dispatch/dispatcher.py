"""Which request goes to which node, and when: they wait here, not at a node, until a place that suits is free."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gleitzeit.core.errors import LimitError
from gleitzeit_ollama.dispatch.base import NodeView, Want
from gleitzeit_ollama.dispatch.demand import Demand
from gleitzeit_ollama.dispatch.forecast import Forecast, Surroundings
from gleitzeit_ollama.dispatch.ledger import Ledger
from gleitzeit_ollama.dispatch.lessons import learn
from gleitzeit_ollama.dispatch.line import Line, Ticket
from gleitzeit_ollama.dispatch.memory import USUAL_CAPACITY
from gleitzeit_ollama.dispatch.routing import Outlook, cost
from gleitzeit_ollama.dispatch.standing import Standing

_FAR_ENOUGH = 32
"""How many of the same kind may wait for better nodes before the rest of them is not looked at."""

_LONG_WAIT = 60.0
"""Who waited for so many seconds, and ten times what a request takes, gets the next place whatever it costs."""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a request goes now; `cold` if its model has to be loaded there, `expected` the seconds until its end."""

    ticket: Ticket
    node: str
    cold: bool
    expected: float


class Dispatcher:
    """The requests of a pool from the moment they come until they are answered.

    It is told what happens and when (`now`, in seconds of any clock that never goes back), and knows no clock and no
    connection itself. After each change `assign` says what can go now. The order is fair among runs, and whoever waits
    is served in the end.
    """

    def __init__(self, max_queue: int) -> None:
        self._max_queue = max_queue
        self._nodes: dict[str, Standing] = {}
        self._ledger = Ledger()
        self._line = Line()
        self._demand = Demand()
        self._now = 0.0

    def see(self, node: str, view: NodeView) -> None:
        """Learn what a node says of itself, each time it was asked."""
        if node not in self._nodes:
            self._nodes[node] = Standing(node)
        self._nodes[node].see(view, self._now)
        self._compare_memories()

    def forget(self, node: str) -> None:
        """Know a node no more; what is in flight there may still end."""
        standing = self._nodes.get(node)
        if standing is not None:
            standing.see(NodeView("down"), self._now)
            self._ledger.forget(node)
            self._drop_if_forgotten(standing)

    def enter(self, want: Want, now: float, without: Iterable[str] = ()) -> Ticket:
        """Wait for a node, best for none of `without`: those have failed already.

        Raises a `LimitError`, retryable, where as many wait as may.
        """
        self._now = now
        waiting = self._line.waiting(want.model)
        if waiting >= self._most(want.model) and (waiting or not self._open(want.model)):
            raise self._too_many(want.model, waiting)
        self._demand.add(want.model, now)
        return self._line.enter(want, now, frozenset(without))

    def assign(self, now: float) -> list[Placement]:
        """Give nodes to those whose turn it is; they count as in flight from here on."""
        self._now = now
        placements: list[Placement] = []
        # Who waited for a node that another one got may choose again.
        while placed := self._go_through(now):
            placements += placed
        return placements

    def began(self, ticket: Ticket, now: float) -> None:
        """Learn that the first of an answer has come."""
        self._now = now
        standing = self._standing(ticket)
        standing.heard = now
        ticket.began = now
        if ticket.behind and ticket.overtaken:
            standing.slots(ticket.want.model).overtaken()

    def ended(self, ticket: Ticket, now: float, load_seconds: float = 0.0, prompt_seconds: float = 0.0) -> None:
        """Learn that an answer is complete, and what Ollama says that its parts took."""
        if ticket.began is None:
            self.began(ticket, now)
        standing = self._standing(ticket)
        standing.heard = now
        if standing.usable:
            learn(ticket, standing, self._ledger, now, load=load_seconds, prompt=prompt_seconds)
        self.failed(ticket, now)

    def failed(self, ticket: Ticket, now: float) -> None:
        """Learn that there will be no answer; it says nothing about the speed of the node."""
        self._now = now
        standing = self._standing(ticket)
        standing.release(ticket, now)
        self._drop_if_forgotten(standing)

    def withdraw(self, ticket: Ticket, now: float) -> None:
        """Learn that nobody wants the answer any more, waiting or placed."""
        if ticket.node is None:
            self._now = now
            self._line.leave(ticket)
        else:
            self.failed(ticket, now)

    def places(self, model: str) -> int:
        """How many requests of a model are answered at once, as far as is known; at least 1."""
        return max(sum(standing.places(model) for standing in self._having(model)), 1)

    def in_flight(self, node: str) -> dict[str, int]:
        """How many requests a node has, by model."""
        standing = self._nodes.get(node)
        return dict(Counter(ticket.want.model for ticket in standing.in_flight)) if standing else {}

    def averages(self, node: str) -> dict[str, float]:
        """The moving averages of what a request takes on a node, in seconds, by model."""
        return self._ledger.averages(node)

    def _standing(self, ticket: Ticket) -> Standing:
        if ticket.node is None:
            raise ValueError(f"request {ticket.number} has no node")
        return self._nodes[ticket.node]

    def _having(self, model: str) -> list[Standing]:
        return [standing for standing in self._nodes.values() if standing.has(model)]

    def _most(self, model: str) -> int:
        return self._max_queue * max(len(self._having(model)), 1)

    def _open(self, model: str) -> bool:
        return any(forecast.open(model) for forecast in self._forecasts() if forecast.standing.has(model))

    def _forecasts(self) -> list[Forecast]:
        around = Surroundings(self._now, self._ledger, self._asking, self._homes)
        return [Forecast(standing, around) for standing in self._nodes.values() if standing.usable]

    def _any_open(self, forecasts: Sequence[Forecast]) -> bool:
        models = self._line.models
        return any(forecast.open(model) for forecast in forecasts for model in models)

    def _asking(self, model: str, seconds: float) -> float:
        """How many are taken to ask for a model within some seconds, with those who do already."""
        return self._line.waiting(model) + self._demand.rate(model, self._now) * seconds

    def _homes(self, model: str) -> int:
        return sum(model in standing.memory.residents for standing in self._nodes.values() if standing.usable)

    def _go_through(self, now: float) -> list[Placement]:
        forecasts = self._forecasts()
        placements: list[Placement] = []
        passed: Counter[tuple[object, ...]] = Counter()
        for ticket in self._line if self._any_open(forecasts) else ():
            kind = (ticket.want.model, ticket.want.load, ticket.without)
            chosen = self._choose(ticket, forecasts) if passed[kind] < _FAR_ENOUGH else None
            if chosen is None:
                continue
            forecast, outlook = chosen
            forecast.put(ticket, outlook)
            passed[kind] += not outlook.open
            if outlook.open:
                self._line.serve(ticket)
                forecast.standing.take(ticket, outlook, now)
                name = forecast.standing.name
                placements.append(Placement(ticket, name, outlook.cold, outlook.expected))
                if not self._any_open(forecasts):
                    break
        return placements

    def _choose(self, ticket: Ticket, forecasts: Sequence[Forecast]) -> tuple[Forecast, Outlook] | None:
        able = [forecast for forecast in forecasts if forecast.standing.has(ticket.want.model)]
        # Who failed at all of them is better off with one of them than with none.
        able = [forecast for forecast in able if forecast.standing.name not in ticket.without] or able
        offers = [(forecast, forecast.outlook(ticket)) for forecast in able]
        waited = self._now - ticket.entered
        if waited > _LONG_WAIT:
            overdue = [offer for offer in offers if offer[1].open and waited > 10 * offer[1].service]
            offers = overdue or offers
        return min(offers, key=lambda offer: cost(offer[1]), default=None)

    def _compare_memories(self) -> None:
        """Take those of whom nothing is known yet to be like those of whom it is."""
        memories = [standing.memory for standing in self._nodes.values()]
        usual = max((memory.learnt for memory in memories if memory.learnt is not None), default=USUAL_CAPACITY)
        for memory in memories:
            memory.usual = usual

    def _drop_if_forgotten(self, standing: Standing) -> None:
        if standing.view == NodeView("down") and not standing.in_flight:
            self._nodes.pop(standing.name, None)

    def _too_many(self, model: str, waiting: int) -> LimitError:
        services = [self._ledger.service(standing.name, model) for standing in self._having(model)]
        seconds = round(max(waiting, 1) * max(services, default=1.0) / self.places(model), 1)
        return LimitError(
            f"{waiting} requests wait for the model {model} already; a place may be free in about {seconds:g} seconds",
            hint="try again then, or raise providers.ollama.max_queue",
            retryable=True,
            details={"retry_after": seconds, "waiting": waiting},
        )
