"""Waiting for one's turn: the dispatcher decides, and who waits is told at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Set
from dataclasses import dataclass, field

import anyio

from gleitzeit_ollama.dispatch.base import NodeView, Want
from gleitzeit_ollama.dispatch.dispatcher import Dispatcher
from gleitzeit_ollama.dispatch.line import Ticket

_TICK = 1.0


@dataclass(slots=True, eq=False)
class _Waiting:
    """Somebody in the line; the event tells that a node was found, or that there is none to wait for any more."""

    want: Want
    without: frozenset[str]
    told: anyio.Event = field(default_factory=anyio.Event)
    turn: Turn | None = None


class Turn:
    """The right to one request at `node`, counted there until exactly one of `ended`, `failed` and `left` is called.

    `cold` tells whether the model has to be loaded first, `behind` whether others there come first or have it loaded.
    """

    def __init__(self, turns: Turns, ticket: Ticket, node: str, *, cold: bool) -> None:
        self.node = node
        self.cold = cold
        self.behind = ticket.behind or ticket.joined
        self._turns = turns
        self._ticket = ticket

    def began(self) -> None:
        """The first object has come."""
        self._turns.change(lambda dispatcher, now: dispatcher.began(self._ticket, now))

    def ended(self, load_seconds: float, prompt_seconds: float) -> None:
        """The whole answer has come."""
        self._turns.change(
            lambda dispatcher, now: dispatcher.ended(
                self._ticket, now, load_seconds=load_seconds, prompt_seconds=prompt_seconds
            )
        )

    def failed(self) -> None:
        """The node did not do it."""
        self._turns.change(lambda dispatcher, now: dispatcher.failed(self._ticket, now))

    def left(self) -> None:
        """Nobody wants the answer any more."""
        self._turns.change(lambda dispatcher, now: dispatcher.withdraw(self._ticket, now))


class Turns:
    """The line in front of all nodes; belongs to the event loop it was made in.

    `hopeful` says whether some node may ever take a request: who waits for none is told so.
    """

    def __init__(self, max_queue: int, hopeful: Callable[[Want, Set[str]], bool]) -> None:
        self.dispatcher = Dispatcher(max_queue)
        self._hopeful = hopeful
        self._waiting: dict[Ticket, _Waiting] = {}
        self._views: dict[str, NodeView] = {}
        self._assigned = 0.0

    def see(self, node: str, view: NodeView, *, looked: bool = False) -> None:
        """Take note of how a node stands; after a look at it, that nothing has changed is news too."""
        if not looked and self._views.get(node) == view:
            return
        self._views[node] = view
        self.change(lambda dispatcher, _: dispatcher.see(node, view))
        for waiting in self._waiting.values():
            if not self._hopeful(waiting.want, waiting.without):
                waiting.told.set()

    async def take(self, want: Want, without: Set[str]) -> Turn | None:
        """Wait for a turn at any node but some; returns nothing once there is no node left to wait for.

        Raises `LimitError` where too many wait already.
        """
        waiting = _Waiting(want, frozenset(without))
        entered = time.monotonic()
        ticket = self.dispatcher.enter(want, entered, waiting.without)
        self._waiting[ticket] = waiting
        try:
            self._assign(entered)
            while not waiting.told.is_set():
                await self._wait(waiting)
        except BaseException:
            self._withdraw(ticket)
            raise
        if waiting.turn is None:
            self._withdraw(ticket)
        return waiting.turn

    def close(self) -> None:
        """Tell all who wait that there is no node any more."""
        for waiting in self._waiting.values():
            waiting.told.set()

    def change(self, event: Callable[[Dispatcher, float], None]) -> None:
        """Tell the dispatcher what happened, and let those go on whose turn has come by it."""
        now = time.monotonic()
        event(self.dispatcher, now)
        self._assign(now)

    async def _wait(self, waiting: _Waiting) -> None:
        with anyio.move_on_after(_TICK):
            await waiting.told.wait()
        # Time alone changes what is best: a node that stays silent is worth less and less.
        if time.monotonic() - self._assigned >= _TICK:
            self._assign(time.monotonic())

    def _assign(self, now: float) -> None:
        if not self._waiting:
            return
        self._assigned = now
        for placed in self.dispatcher.assign(now):
            waiting = self._waiting.pop(placed.ticket)
            waiting.turn = Turn(self, placed.ticket, placed.node, cold=placed.cold)
            waiting.told.set()

    def _withdraw(self, ticket: Ticket) -> None:
        self._waiting.pop(ticket, None)
        self.change(lambda dispatcher, now: dispatcher.withdraw(ticket, now))
