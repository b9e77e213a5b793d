"""`Clock`: where an engine gets time and chance from, so that tests need neither."""

from __future__ import annotations

import random
import time

import anyio


class Clock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since the epoch, by a clock that anybody may set."""
        return time.time()

    def uptime(self) -> float:
        """Seconds on a clock that only goes on, and is the same for all processes of this boot."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await anyio.sleep(seconds)

    def jitter(self) -> float:
        """A number in [0, 1), different each time."""
        return random.random()  # noqa: S311 - spreads retries, guards nothing
