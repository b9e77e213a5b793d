"""`Bell`: readers follow the store, and are woken by commits instead of asking again and again."""

from __future__ import annotations

from weakref import WeakValueDictionary

import anyio


class Bell:
    """Rings after each commit of one run; costs nothing where nobody listens.

    A listener notes `rings` before it reads, so that no ring between reading and waiting is missed.
    """

    __slots__ = ("__weakref__", "_end", "_event", "_pause", "calling", "rings", "silent")

    def __init__(self) -> None:
        self.rings = 0
        self.silent = False
        self.calling = False
        self._event: anyio.Event | None = None
        self._end: anyio.Event | None = None
        self._pause: anyio.Event | None = None

    def ring(self) -> None:
        """Wake all who wait."""
        self.rings += 1
        if self._event is not None:
            self._event.set()
            self._event = None

    def fall_silent(self) -> None:
        """Ring for the last time: the run does nothing more by itself."""
        self.silent = True
        self.ring()
        if self._end is not None:
            self._end.set()
        if self._pause is not None:
            self._pause.set()

    def call(self, calling: bool) -> None:
        """Say whether the run waits for somebody's answer."""
        self.calling = calling
        if calling and self._pause is not None:
            self._pause.set()
            self._pause = None

    async def rung(self, since: int) -> None:
        """Return once it has rung more than `since` times."""
        while self.rings == since:
            self._event = self._event or anyio.Event()
            await self._event.wait()

    async def silence(self) -> None:
        """Return once it has fallen silent."""
        if not self.silent:
            self._end = self._end or anyio.Event()
            await self._end.wait()

    async def pause(self) -> None:
        """Return once it has fallen silent, or the run waits for somebody's answer."""
        if not (self.silent or self.calling):
            self._pause = self._pause or anyio.Event()
            await self._pause.wait()


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
