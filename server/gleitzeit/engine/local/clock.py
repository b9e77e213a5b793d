"""`Clock`: where an engine gets time and chance from, so that tests need neither."""

from __future__ import annotations

import random
import time

import anyio


class Clock:
    """The machine's own clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`."""
        await anyio.sleep(seconds)

    def jitter(self) -> float:
        """A number in [0, 1), different each time."""
        return random.random()  # noqa: S311 - spreads retries, guards nothing
