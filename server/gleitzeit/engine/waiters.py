"""`Waiters`: those who wait for one thing, each for as long as they like."""

from __future__ import annotations

import asyncio  # its futures and timers: an event and a cancel scope of anyio's take forty calls


class Waiters:
    """Costs nothing where nobody waits."""

    __slots__ = ("_futures",)

    def __init__(self) -> None:
        self._futures: set[asyncio.Future[bool]] = set()

    def wake(self) -> None:
        """Tell all who wait that it has come to that."""
        for future in self._futures:
            _settle(future, True)

    async def wait(self, timeout: float | None = None) -> bool:
        """Whether it comes to that within `timeout` seconds."""
        loop = asyncio.get_running_loop()
        own: asyncio.Future[bool] = loop.create_future()
        self._futures.add(own)
        timer = None if timeout is None else loop.call_later(timeout, _settle, own, False)
        try:
            return await own
        finally:
            self._futures.discard(own)
            if timer is not None:
                timer.cancel()


def _settle(future: asyncio.Future[bool], woken: bool) -> None:
    if not future.done():
        future.set_result(woken)
