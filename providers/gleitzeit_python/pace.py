"""`Pace`: how many requests begin at once, so that the event loop goes on with others between them."""

from __future__ import annotations

import asyncio  # for its loop tells by a callback that its next turn has come
from collections import deque

import anyio

_MOST = 20
"""Requests a turn: a few milliseconds, also where the machine is busy."""


class Pace:
    """Lets a few requests begin in each turn of the event loop; of a crowd the others begin in the turns after it."""

    __slots__ = ("_begun", "_waiting")

    def __init__(self) -> None:
        self._begun = 0
        self._waiting: deque[anyio.Event] = deque()

    async def begin(self) -> None:
        """Return at once, or in a later turn."""
        if self._begun < _MOST:
            self._count()
            return
        turn = anyio.Event()
        self._waiting.append(turn)
        await turn.wait()

    def _count(self) -> None:
        if not self._begun:
            asyncio.get_running_loop().call_soon(self._next_turn)
        self._begun += 1

    def _next_turn(self) -> None:
        self._begun = 0
        while self._waiting and self._begun < _MOST:
            self._count()
            self._waiting.popleft().set()
