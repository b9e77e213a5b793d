"""How a node stands: what it said of itself, and what was sent there since."""

from __future__ import annotations

from collections import defaultdict

from gleitzeit_ollama.dispatch.base import NodeView
from gleitzeit_ollama.dispatch.beginnings import Beginnings
from gleitzeit_ollama.dispatch.line import Ticket
from gleitzeit_ollama.dispatch.memory import Memory
from gleitzeit_ollama.dispatch.routing import Outlook
from gleitzeit_ollama.dispatch.slots import Slots

_AT_ONCE = 1.0
"""Seconds in which a model is on the list of those in memory, where nothing keeps it from being loaded."""


class Standing:
    """One node, as the dispatcher sees it; `heard` is when it last gave a sign of life, or got something to do."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.view = NodeView("unknown")
        self.in_flight: list[Ticket] = []
        self.heard = 0.0
        self._start_anew()

    def _start_anew(self) -> None:
        self.memory = Memory()
        self.beginnings: defaultdict[str, Beginnings] = defaultdict(Beginnings)
        self._slots: defaultdict[str, Slots] = defaultdict(Slots)

    @property
    def usable(self) -> bool:
        """Whether it may be sent anything at all."""
        return self.view.state in {"healthy", "trial"}

    @property
    def connections(self) -> int:
        """How many more requests it may get: where it is on trial, one at a time."""
        most = 1 if self.view.state == "trial" else self.view.max_connections
        return max(most - len(self.in_flight), 0) if self.usable else 0

    @property
    def busy(self) -> frozenset[str]:
        """The models with something in flight."""
        return frozenset(ticket.want.model for ticket in self.in_flight)

    def has(self, model: str) -> bool:
        """Whether it could answer requests of a model, now or later."""
        return self.usable and model in self.view.installed

    def of(self, model: str) -> list[Ticket]:
        """What is in flight of one model."""
        return [ticket for ticket in self.in_flight if ticket.want.model == model]

    def slots(self, model: str) -> Slots:
        """The places of a model."""
        return self._slots[model]

    def places(self, model: str) -> int:
        """How many requests of a model it certainly answers at once."""
        return self._slots[model].sure(self.view.max_parallel)

    def most(self, model: str) -> int:
        """How many requests of a model it may have."""
        return self._slots[model].most(self.view.max_parallel)

    def see(self, view: NodeView, now: float) -> None:
        """Take in what it says; who was gone starts anew."""
        if view.state == "down":
            self._start_anew()
        elif self.usable or view.state in {"healthy", "trial"}:
            self.memory.see(view.loaded, self.busy, full=self._held_up(view.loaded, now), now=now)
        self.view = view

    def take(self, ticket: Ticket, outlook: Outlook, now: float) -> None:
        """Have a request in flight from now on."""
        want = ticket.want
        beside = self.of(want.model)
        ticket.node, ticket.placed = self.name, now
        ticket.cold = outlook.cold
        ticket.joined = any(other.loading for other in beside)
        ticket.behind = len(beside) >= self.places(want.model)
        ticket.start = now + (outlook.wait if ticket.behind else 0.0)
        ticket.others = len(self.in_flight)
        if ticket.cold:
            self.beginnings.pop(want.model, None)
        ticket.share = self.beginnings[want.model].share(want.prefix)
        self.beginnings[want.model].put(want.prefix, self.places(want.model))
        self.memory.use(want, self.busy, now)
        if not self.in_flight:
            self.heard = now
        self.in_flight.append(ticket)

    def release(self, ticket: Ticket, now: float) -> None:
        """Have a request in flight no more; who was sent behind it has a place now."""
        self.in_flight.remove(ticket)
        for other in self.of(ticket.want.model):
            if other.behind and other.began is None:
                other.overtaken = True
                other.start = min(other.start, now)

    def _held_up(self, loaded: frozenset[str], now: float) -> bool:
        """Whether something waits for memory: its model is not even being loaded, and no other one is."""
        waiting = [ticket for ticket in self.in_flight if ticket.began is None]
        if any(ticket.loading and ticket.want.model in loaded for ticket in waiting):
            return False
        return any(ticket.want.model not in loaded and now - ticket.placed > _AT_ONCE for ticket in waiting)
