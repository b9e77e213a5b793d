"""`Bell`: readers follow the store, and are woken by commits instead of asking again and again."""

from __future__ import annotations

import asyncio  # its futures: an event and a cancel scope of anyio's take forty calls
from weakref import WeakValueDictionary


class Bell:
    """Rings after each commit of one run; costs nothing where nobody listens.

    A listener notes `rings` before it reads, so that no ring between reading and waiting is missed. Listeners are told
    whether it came to that `within` so many seconds.
    """

    __slots__ = ("__weakref__", "_end", "_next", "_pause", "calling", "rings", "silent")

    def __init__(self) -> None:
        self.rings = 0
        self.silent = False
        self.calling = False
        self._next: set[asyncio.Future[bool]] = set()
        self._end: set[asyncio.Future[bool]] = set()
        self._pause: set[asyncio.Future[bool]] = set()

    def ring(self) -> None:
        """Wake all who wait."""
        self.rings += 1
        _wake(self._next)

    def fall_silent(self) -> None:
        """Ring for the last time: the run does nothing more by itself."""
        self.silent = True
        self.ring()
        _wake(self._end)
        _wake(self._pause)

    def call(self, calling: bool) -> None:
        """Say whether the run waits for somebody's answer."""
        self.calling = calling
        if calling:
            _wake(self._pause)

    async def rung(self, since: int, within: float | None = None) -> bool:
        """Return once it has rung more than `since` times."""
        return self.rings != since or await _woken(self._next, within)

    async def silence(self, within: float | None = None) -> bool:
        """Return once it has fallen silent."""
        return self.silent or await _woken(self._end, within)

    async def pause(self, within: float | None = None) -> bool:
        """Return once it has fallen silent, or the run waits for somebody's answer."""
        return self.silent or self.calling or await _woken(self._pause, within)


async def _woken(waiting: set[asyncio.Future[bool]], within: float | None) -> bool:
    loop = asyncio.get_running_loop()
    own: asyncio.Future[bool] = loop.create_future()
    waiting.add(own)
    timer = None if within is None else loop.call_later(within, _settle, own, False)
    try:
        return await own
    finally:
        waiting.discard(own)
        if timer is not None:
            timer.cancel()


def _wake(waiting: set[asyncio.Future[bool]]) -> None:
    for future in waiting:
        _settle(future, True)


def _settle(future: asyncio.Future[bool], woken: bool) -> None:
    if not future.done():
        future.set_result(woken)


class Bells:
    """A bell for each run that somebody listens for, which is there as long as a listener keeps it.

    One for all of them would have every listener read its run again whenever something becomes of any other.
    """

    def __init__(self) -> None:
        self._bells: WeakValueDictionary[str, Bell] = WeakValueDictionary()

    def of(self, run_id: str) -> Bell:
        """The bell of a run."""
        bell = self._bells.get(run_id)
        if bell is None:
            bell = self._bells[run_id] = Bell()
        return bell

    def ring(self, run_id: str) -> None:
        """Wake all who wait for something to become of this run."""
        bell = self._bells.get(run_id)
        if bell is not None:
            bell.ring()

    def ring_all(self) -> None:
        """Wake all who wait for any run."""
        for bell in list(self._bells.values()):
            bell.ring()
