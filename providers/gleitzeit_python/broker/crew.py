"""`Crew`: carries requests out, a few at once and in the order in which they came."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import anyio
from anyio.abc import TaskGroup

Request = TypeVar("Request")


class Crew(Generic[Request]):
    """At most `size` tasks of `group`, each of which goes on with the next request: to start one for each costs more.

    They end with the group, which has to be cancelled.
    """

    __slots__ = ("_carry_out", "_group", "_idle", "_members", "_size", "_waiting")

    def __init__(self, group: TaskGroup, size: int, carry_out: Callable[[Request], Awaitable[None]]) -> None:
        self._group = group
        self._size = size
        self._carry_out = carry_out
        self._members = 0
        self._idle: list[anyio.Event] = []
        self._waiting: deque[Request] = deque()

    def take(self, request: Request) -> None:
        """Carry it out, once somebody is free."""
        self._waiting.append(request)
        if self._idle:
            self._idle.pop().set()
        elif self._members < self._size:
            self._members += 1
            self._group.start_soon(self._work)

    async def _work(self) -> None:
        while True:
            while self._waiting:
                await self._carry_out(self._waiting.popleft())
            called = anyio.Event()
            self._idle.append(called)
            await called.wait()
