"""`Alarms`: functions that are called when they are due. One task keeps the time for all of them."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Callable
from itertools import count

import anyio

_FEW = 64


class Alarm:
    """One alarm; nothing happens any more once it is off."""

    __slots__ = ("_alarms", "_call")

    def __init__(self, alarms: Alarms, call: Callable[[], None]) -> None:
        self._alarms = alarms
        self._call: Callable[[], None] | None = call

    @property
    def on(self) -> bool:
        """Whether it will still go off."""
        return self._call is not None

    def turn_off(self) -> None:
        """Do not call; without effect where it has gone off."""
        if self._call is not None:
            self._call = None
            self._alarms.count_off()

    def go_off(self) -> None:
        """Call, unless it is off."""
        call, self._call = self._call, None
        if call is not None:
            call()


class Alarms:
    """Alarms by `time.monotonic()`: setting one costs an entry of a heap, and no timer of the event loop."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._numbers = count()
        self._off = 0
        self._next = math.inf
        self._earlier: anyio.Event | None = None

    def at(self, due: float, call: Callable[[], None]) -> Alarm:
        """Have `call` called at `due`. It must neither wait nor raise."""
        alarm = Alarm(self, call)
        heapq.heappush(self._heap, (due, next(self._numbers), alarm))
        if due < self._next and self._earlier is not None:
            self._earlier.set()
        return alarm

    async def keep(self) -> None:
        """Go off in time, until cancelled."""
        while True:
            self._ring()
            self._next = self._heap[0][0] if self._heap else math.inf
            self._earlier = anyio.Event()
            with anyio.CancelScope(deadline=anyio.current_time() + self._next - time.monotonic()):
                await self._earlier.wait()

    def count_off(self) -> None:
        """Note that one was turned off, and forget those once they are the most."""
        self._off += 1
        if self._off > _FEW and 2 * self._off > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].on]
            heapq.heapify(self._heap)
            self._off = 0

    def _ring(self) -> None:
        now = time.monotonic()
        while self._heap and self._heap[0][0] <= now:
            alarm = heapq.heappop(self._heap)[2]
            self._off -= 0 if alarm.on else 1
            alarm.go_off()
