"""The near future of one node, while the dispatcher goes through the line: what is in flight, and who was put there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import heapreplace

from gleitzeit_ollama.dispatch.base import LoadOptions, Want
from gleitzeit_ollama.dispatch.ledger import Ledger
from gleitzeit_ollama.dispatch.line import Ticket
from gleitzeit_ollama.dispatch.memory import Resident
from gleitzeit_ollama.dispatch.routing import Outlook, crowded, displaced, remaining
from gleitzeit_ollama.dispatch.standing import Standing

_SILENCE = 1.5
"""A node that gave no sign of life for so many times of what a request takes is taken to be in trouble."""


_UNSURE = 0.1
"""How likely a model has to leave where nobody knows how many the node holds."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a node's future depends on besides itself.

    `asking` tells how many are going to ask for a model within some seconds, `homes` on how many nodes it is in memory.
    """

    now: float
    ledger: Ledger
    asking: Callable[[str, float], float]
    homes: Callable[[str], int]


class Forecast:
    """When the places of a node will be free, by model; in seconds from now."""

    def __init__(self, standing: Standing, around: Surroundings) -> None:
        self.standing = standing
        self._around = around
        self._node = standing.name
        self._connections = standing.connections
        self._active = len(standing.in_flight)
        self._sent: dict[str, int] = {}
        self._left: dict[str, list[float]] = {}
        self._until: dict[str, float] = {}
        self._loading: dict[str, float] = {}
        self._services: dict[str, float] = {}
        for ticket in standing.in_flight:
            self._count(ticket)
        self._ends = [end for left in self._left.values() for end in left]
        self._residents = dict(standing.memory.residents)
        self._places: dict[str, list[float]] = {}
        self._ahead: dict[str, int] = {}
        self._awaited: set[str] = set()
        self._outlooks: dict[tuple[str, LoadOptions], Outlook] = {}
        self._silence = self._too_silent()

    def open(self, model: str) -> bool:
        """Whether one more request of a model may be sent, as far as places go."""
        if self._connections <= 0 or model in self._awaited:
            return False
        return self._sent.get(model, 0) < self.standing.most(model)

    def outlook(self, ticket: Ticket) -> Outlook:
        """What a request would meet here."""
        want = ticket.want
        key = (want.model, want.load)
        # Many wait for the same, and most nodes stay as they are while the dispatcher looks at the next of them.
        if key not in self._outlooks:
            self._outlooks[key] = self._warm_outlook(want) if self._stays(want) else self._cold_outlook(want)
        return self._with_prefix(want, self._outlooks[key]) if want.prefix else self._outlooks[key]

    def put(self, ticket: Ticket, outlook: Outlook) -> None:
        """Count on a request, whether it is sent now or waits for this node."""
        want, model = ticket.want, ticket.want.model
        self._outlooks.clear()
        if outlook.cold:
            self._load(want, outlook)
        else:
            heapreplace(self._free(model), outlook.expected)
        self._until[model] = max(self._until.get(model, 0.0), outlook.expected)
        self._ahead[model] = self._ahead.get(model, 0) + 1
        if outlook.open:
            self._connections -= 1
            self._ends.append(outlook.expected)
            self._active += 1
            self._sent[model] = self._sent.get(model, 0) + 1

    def _warm_outlook(self, want: Want) -> Outlook:
        model = want.model
        free = self._free(model)[0]
        ready = min(self._loading.get(model, 0.0), free)
        return Outlook(
            wait=self._wait(free - ready),
            load=ready,
            # One of those in flight is through before somebody who waits begins.
            service=crowded(self._service(model), max(self._active - (free > 0), 0)),
            depth=self._ahead.get(model, 0),
            weight=self.standing.view.weight,
            open=self.open(model),
        )

    def _with_prefix(self, want: Want, outlook: Outlook) -> Outlook:
        share = 0.0 if outlook.cold else self.standing.beginnings[want.model].share(want.prefix)
        if not share:
            return outlook
        return replace(outlook, saved=self._around.ledger.saved(self._node, want.model, share))

    def _cold_outlook(self, want: Want) -> Outlook:
        room = self._room(want)
        return Outlook(
            wait=self._wait(room),
            service=crowded(self._service(want.model), 0 if room > 0 else self._active),
            load=self._around.ledger.loads.get(self._node, want.model),
            displaced=self._displaced(want),
            weight=self.standing.view.weight,
            cold=True,
            open=room <= 0 and self.open(want.model),
        )

    def _wait(self, free: float) -> float:
        return (free if self._connections > 0 else max(free, min(self._ends, default=0.0))) + self._silence

    def _free(self, model: str) -> list[float]:
        """When each of its places is free, as a heap."""
        if model not in self._places:
            taken = sorted(self._left.get(model, ()))
            places = self.standing.places(model)
            # While it is being loaded even a free place answers nothing.
            ready = self._loading.get(model, 0.0)
            self._places[model] = sorted([ready] * (places - len(taken)) + taken[-places:])
            self._ahead[model] = max(len(taken) - places + 1, 0)
        return self._places[model]

    def _stays(self, want: Want) -> bool:
        """Whether a model is in memory and can stay there: others in use may be about to drive it out."""
        resident = self._residents.get(want.model)
        if resident is None or not resident.fits(want):
            return False
        return len(self._until) + (want.model not in self._until) <= self.standing.memory.capacity

    def _others(self, want: Want) -> list[str]:
        """The other models in memory or on their way there, in the order in which they would leave."""
        names = (self._residents.keys() | self._until.keys()) - {want.model}
        return sorted(names, key=lambda model: (self._until.get(model, 0.0), self._used(model), model))

    def _used(self, model: str) -> float:
        resident = self._residents.get(model)
        return self._around.now if resident is None else resident.used

    def _leaving(self, want: Want) -> list[str]:
        """The models that have to leave so that there is room for another."""
        others = self._others(want)
        return others[: max(len(others) + 1 - self.standing.memory.capacity, 0)]

    def _room(self, want: Want) -> float:
        """Seconds until a model can be loaded: those in its way have to be idle first, and loads go one by one."""
        ends = [self._until.get(model, 0.0) for model in self._leaving(want)]
        return max(*ends, *self._loading.values(), self._until.get(want.model, 0.0), 0.0)

    def _load(self, want: Want, outlook: Outlook) -> None:
        for model in self._leaving(want):
            for known in (self._residents, self._until, self._places):
                known.pop(model, None)
        ready = outlook.wait + outlook.load
        self._residents[want.model] = Resident(want.load, self._around.now, self._around.now)
        self._places[want.model] = [ready] * (self.standing.places(want.model) - 1) + [outlook.expected]
        self._loading[want.model] = ready
        if not outlook.open:
            self._awaited.add(want.model)

    def _displaced(self, want: Want) -> float:
        """What others lose by a model that has to leave, or that may have to as far as anybody knows."""
        memory = self.standing.memory
        leaving = self._leaving(want)
        if leaving:
            return sum(self._missed(model, want) for model in leaving)
        others = self._others(want)
        if memory.learnt is not None or len(others) < memory.seen:
            return 0.0
        return _UNSURE * max((self._missed(model, want) for model in others), default=0.0)

    def _missed(self, model: str, want: Want) -> float:
        loads = self._around.ledger.loads
        load = loads.get(self._node, model)
        asking = self._around.asking(model, loads.get(self._node, want.model) + load)
        elsewhere = self._around.homes(model) - (model in self.standing.memory.residents)
        return displaced(load, asking, elsewhere)

    def _service(self, model: str) -> float:
        if model not in self._services:
            self._services[model] = self._around.ledger.service(self._node, model)
        return self._services[model]

    def _count(self, ticket: Ticket) -> None:
        model = ticket.want.model
        service = crowded(self._service(model), ticket.others)
        elapsed = self._around.now - ticket.start
        if ticket.loading:
            load = remaining(self._around.ledger.loads.get(self._node, model), elapsed)
            self._loading[model] = max(self._loading.get(model, 0.0), load)
            left = load + service
        else:
            left = remaining(service, elapsed)
        self._sent[model] = self._sent.get(model, 0) + 1
        self._left.setdefault(model, []).append(left)
        self._until[model] = max(self._until.get(model, 0.0), left)

    def _too_silent(self) -> float:
        """Seconds that a node owes a sign of life; nothing where it has something to do for so long."""
        if not self._left:
            return 0.0
        loads = self._around.ledger.loads
        usual = max(self._service(model) for model in self._left)
        loading = max(
            (loads.get(self._node, one.want.model) for one in self.standing.in_flight if one.cold), default=0.0
        )
        silence = self._around.now - self.standing.heard - loading
        return silence if silence > _SILENCE * usual else 0.0
