"""`Turns`: how many jobs run at once, and who is next: each run in turn, so that a large one holds up no small one."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio


class Turns:
    """At most `places` at once."""

    __slots__ = ("_free", "_waiting")

    def __init__(self, places: int) -> None:
        self._free = places
        self._waiting: OrderedDict[str, deque[anyio.Event]] = OrderedDict()

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return sum(map(len, self._waiting.values()))

    async def enter(self, run: str) -> None:
        """Return once there is a place."""
        if self._free and not self._waiting:
            self._free -= 1
            return
        turn = anyio.Event()
        self._waiting.setdefault(run, deque()).append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():  # the place was handed over just when nobody wanted it any more
                self.leave()
            else:
                self._forget(run, turn)
            raise

    def leave(self) -> None:
        """Hand the place over to whoever is next."""
        if not self._waiting:
            self._free += 1
            return
        run, turns = self._waiting.popitem(last=False)
        turns.popleft().set()
        if turns:
            self._waiting[run] = turns

    def _forget(self, run: str, turn: anyio.Event) -> None:
        turns = self._waiting[run]
        turns.remove(turn)
        if not turns:
            del self._waiting[run]

    @asynccontextmanager
    async def place(self, run: str) -> AsyncGenerator[None]:
        """Have a place meanwhile."""
        await self.enter(run)
        try:
            yield
        finally:
            self.leave()


class Place:
    """A place of a job, which it lends out while it waits for a person; nested jobs need none."""

    __slots__ = ("_has", "_lent", "_returning", "_run", "_turns")

    def __init__(self, turns: Turns | None, run: str) -> None:
        self._turns = turns
        self._run = run
        self._has = False
        self._lent = 0
        self._returning = anyio.Lock()

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Have it."""
        if self._turns is None:
            yield
            return
        await self._turns.enter(self._run)
        self._has = True
        try:
            yield
        finally:
            if self._has:
                self._turns.leave()

    @asynccontextmanager
    async def lent(self) -> AsyncGenerator[None]:
        """Let others have it meanwhile."""
        if self._turns is None:
            yield
            return
        self._lent += 1
        if self._has:
            self._has = False
            self._turns.leave()
        try:
            yield
        finally:
            self._lent -= 1
            if not self._lent:
                await self._return(self._turns)

    async def _return(self, turns: Turns) -> None:
        """Have it again, and once only: a further question may come and go while this waits."""
        async with self._returning:
            if not self._has:
                await turns.enter(self._run)
                self._has = True
