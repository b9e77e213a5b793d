"""When a server whose connection broke is started again."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """At most `limit` restarts within `window` seconds, each later than the one before."""

    limit: int
    window: float = 60.0
    first_delay: float = 0.1
    longest_delay: float = 10.0

    def delay(self, restarts: Sequence[float], now: float) -> float | None:
        """Seconds until the next start, given the times of earlier ones; nothing where it is to be left alone."""
        recent = sum(1 for at in restarts if now - at < self.window)
        if recent >= self.limit:
            return None
        return min(self.first_delay * 2.0**recent, self.longest_delay)


def jittered(delay: float) -> float:
    """About `delay`, so that servers which died together do not come back together."""
    return delay * random.uniform(0.8, 1.2)  # noqa: S311 - spreads starts, hides nothing
