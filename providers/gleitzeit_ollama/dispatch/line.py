"""Who waits for a node, and whose turn it is: the runs by turns, each in its own order."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from gleitzeit_ollama.dispatch.base import Want

_AT_A_TIME = 8
"""How many requests of a run have the same turn: while no run has more, the order is that of arrival."""


@dataclass(slots=True, eq=False)
class Ticket:
    """One request on its way through the pool: it waits while it has no `node`.

    `turn` orders the line. Once placed: `cold` if its model has to be loaded for it, `joined` if that is being loaded
    for another; `behind` if it was sent although all places known there were taken, `overtaken` if one of them was free
    before it began; `others` is how many were in flight on its node, `share` the part of its prompt at hand there, and
    `start` when it has its place.
    """

    want: Want
    number: int
    turn: float
    entered: float
    without: frozenset[str] = frozenset()
    node: str | None = None
    cold: bool = False
    joined: bool = False
    behind: bool = False
    overtaken: bool = False
    others: int = 0
    share: float = 0.0
    placed: float = 0.0
    start: float = 0.0
    began: float | None = None

    def __lt__(self, other: Ticket) -> bool:
        return (self.turn // 1, self.number) < (other.turn // 1, other.number)

    @property
    def loading(self) -> bool:
        """Whether the model is on its way into memory for it."""
        return self.cold and self.began is None


class Line:
    """All that wait, in the order in which they should be served.

    Start-time fair queueing: the first eight waiting requests of each run have this turn, the next eight the turn after
    it. A run with a thousand of them holds up one of another run by eight.
    """

    def __init__(self) -> None:
        self._tickets: list[Ticket] = []
        self._waiting: Counter[str] = Counter()
        self._last: dict[str, float] = {}
        self._serving = 0.0
        self._entered = 0

    def __iter__(self) -> Iterator[Ticket]:
        return iter(tuple(self._tickets))

    @property
    def models(self) -> list[str]:
        """The models that somebody waits for."""
        return list(self._waiting)

    def waiting(self, model: str) -> int:
        """How many wait for a model."""
        return self._waiting.get(model, 0)

    def enter(self, want: Want, now: float, without: frozenset[str] = frozenset()) -> Ticket:
        """Join the line; who comes back from a node that failed does so in front."""
        turn = self._serving - 1 if without else self._next_turn(want.run)
        self._entered += 1
        ticket = Ticket(want, self._entered, turn, now, without)
        insort(self._tickets, ticket)
        self._waiting[want.model] += 1
        return ticket

    def serve(self, ticket: Ticket) -> None:
        """Go, because it is one's turn."""
        self.leave(ticket)
        self._serving = max(self._serving, ticket.turn)

    def leave(self, ticket: Ticket) -> None:
        """Go, because nobody wants the answer any more."""
        at = bisect_left(self._tickets, ticket)
        if self._tickets[at : at + 1] != [ticket]:
            raise ValueError(f"request {ticket.number} does not wait")
        del self._tickets[at]
        self._waiting[ticket.want.model] -= 1
        if not self._waiting[ticket.want.model]:
            del self._waiting[ticket.want.model]
        if not self._tickets:
            self._last.clear()

    def _next_turn(self, run: str) -> float:
        turn = max(self._serving, self._last.get(run, 0.0)) + 1 / _AT_A_TIME
        self._last[run] = turn
        return turn
