"""`Clock`: what is recorded as time, how long retries wait, and chance: all that a test may want to choose.

Time limits are not among it: alarms, the crew and deadlines go by `time.monotonic()`, as the event loop does.
"""

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
