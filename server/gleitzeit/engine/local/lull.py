"""`Lull`: when the event loop has nothing else to do, which is the time for what is cheaper the more of it there is."""

from __future__ import annotations

import asyncio  # its turns: anyio has no word for them
from collections.abc import Callable
from time import perf_counter

PATIENCE = 0.008
"""Seconds that a busy loop is waited for."""

IDLE_TURN = 2e-5
"""A turn of the loop that takes no longer did nothing: an idle one takes 1 to 3 µs, one that resumes a task over 30."""

_GROWTH = 1.01
"""By how much what counts as an idle turn grows with each that was longer."""


class Lull:
    """Calls `act` in the first turn of the loop that comes after one with nothing to do, or after `PATIENCE`.

    Where turns take longer, since the machine is slow or the program is being watched, it learns what an idle one is.
    """

    def __init__(self, act: Callable[[], None], clock: Callable[[], float] = perf_counter) -> None:
        self._act = act
        self._clock = clock
        self._expected = False
        self._idle_turn = IDLE_TURN
        self._since = self._turn = 0.0

    def expect(self) -> None:
        """Call `act` once, however often this is asked for until then."""
        if not self._expected:
            self._expected = True
            self._since = self._turn = self._clock()
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        now = self._clock()
        took = now - self._turn
        if took < self._idle_turn:
            self._idle_turn = max(IDLE_TURN, min(self._idle_turn, 3 * took))
            self._end()
        elif now - self._since >= PATIENCE:
            self._end()
        else:
            self._idle_turn *= _GROWTH
            self._turn = now
            # No loop says when it is idle: that its turns are short is all there is to see of it.
            asyncio.get_running_loop().call_soon(self._look)

    def _end(self) -> None:
        self._expected = False
        self._act()
