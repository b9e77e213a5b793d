"""`Lull`: when the event loop has nothing else to do, which is the time for what is cheaper the more of it there is."""

from __future__ import annotations

import asyncio  # its turns: anyio has no word for them
from collections.abc import Callable
from time import perf_counter

LONGEST = 0.008
"""Seconds that a loop may be busy before it is interrupted."""

SHORTEST = 2e-5
"""A turn of the loop that is shorter did nothing: an idle one takes 1 to 3 µs, one that resumes a task 30 and more."""

_SLOWER = 1.01


class Lull:
    """Calls `act` in the first turn of the loop that comes after one with nothing to do, or after `LONGEST`.

    Where turns take longer, since the machine is slow or the program is being watched, it learns what a short one is.
    """

    def __init__(self, act: Callable[[], None]) -> None:
        self._act = act
        self._expected = False
        self._short = SHORTEST

    def expect(self) -> None:
        """Call `act` once, however often this is asked for until then."""
        if not self._expected:
            self._expected = True
            self._loop = asyncio.get_running_loop()
            self._since = self._turn = perf_counter()
            self._loop.call_soon(self._look)

    def _look(self) -> None:
        now = perf_counter()
        took = now - self._turn
        if took < self._short:
            self._short = max(SHORTEST, min(self._short, 3 * took))
            self._end()
        elif now - self._since >= LONGEST:
            self._end()
        else:
            self._short *= _SLOWER
            self._turn = now
            self._loop.call_soon(self._look)

    def _end(self) -> None:
        self._expected = False
        self._act()
