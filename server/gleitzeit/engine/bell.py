"""`Bell`: readers follow the store, and are woken by commits instead of asking again and again."""

from __future__ import annotations

from weakref import WeakValueDictionary

from gleitzeit.engine.waiters import Waiters


class Bell:
    """Rings after each commit of one run; costs nothing where nobody listens.

    A listener notes `rings` before it reads, so that no ring between reading and waiting is missed. Listeners are told
    whether it came to that within `timeout` seconds.
    """

    __slots__ = ("__weakref__", "_end", "_next", "_pause", "calling", "rings", "silent")

    def __init__(self) -> None:
        self.rings = 0
        self.silent = False
        self.calling = False
        self._next, self._end, self._pause = Waiters(), Waiters(), Waiters()

    def ring(self) -> None:
        """Wake all who wait."""
        self.rings += 1
        self._next.wake()

    def fall_silent(self) -> None:
        """Ring for the last time: the run does nothing more by itself."""
        self.silent = True
        self.ring()
        self._end.wake()
        self._pause.wake()

    def call(self, calling: bool) -> None:
        """Say whether the run waits for somebody's answer."""
        self.calling = calling
        if calling:
            self._pause.wake()

    async def rung(self, since: int, timeout: float | None = None) -> bool:
        """Return once it has rung more than `since` times."""
        return self.rings != since or await self._next.wait(timeout)

    async def silence(self, timeout: float | None = None) -> bool:
        """Return once it has fallen silent."""
        return self.silent or await self._end.wait(timeout)

    async def pause(self, timeout: float | None = None) -> bool:
        """Return once it has fallen silent, or the run waits for somebody's answer."""
        return self.silent or self.calling or await self._pause.wait(timeout)


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
