"""Tokens as progress, not more often than anyone can read."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

Report = Callable[[float | None, float | None, str | None], Awaitable[None]]

INTERVAL = 0.1


class TokenProgress:
    """Reports pieces of text in their order, none left out, at most ten times a second."""

    def __init__(self, report: Report, most: int | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._report = report
        self._most = most
        self._clock = clock
        self._count = 0
        self._waiting: list[str] = []
        self._told = 0
        self._next = clock()

    async def add(self, text: str) -> None:
        """Count one more piece, and tell of all that wait if the last report is long enough ago."""
        self._count += 1
        self._waiting.append(text)
        if self._clock() >= self._next:
            await self.flush()

    async def flush(self) -> None:
        """Tell of what has not been told yet."""
        if self._told == self._count:
            return
        text = "".join(self._waiting)
        self._waiting.clear()
        self._told = self._count
        self._next = self._clock() + INTERVAL
        total = self._most if self._most is not None and self._count <= self._most else None
        await self._report(self._count, total, text or None)
