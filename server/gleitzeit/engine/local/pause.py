"""`Pause`: the time between two attempts."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from gleitzeit.engine.local.clock import Clock


class Pause:
    """Calls `over` with itself after `seconds`, unless it is stopped."""

    __slots__ = ("_clock", "_over", "_scope", "_seconds", "_stopped")

    def __init__(self, clock: Clock, seconds: float, over: Callable[[Pause], None]) -> None:
        self._clock = clock
        self._seconds = seconds
        self._over = over
        self._scope = anyio.CancelScope()
        self._stopped = False

    async def run(self) -> bool:
        """Wait, and call."""
        with self._scope:
            await self._clock.sleep(self._seconds)
        if not self._stopped:
            self._over(self)
        return True

    def stop(self) -> None:
        """Do not call any more."""
        self._stopped = True
        self._scope.cancel()
