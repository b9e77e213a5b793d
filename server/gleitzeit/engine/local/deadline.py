"""`Deadline`: when an attempt, a call or a run has to be over; it stands still while it is held."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager


def _nothing() -> None:
    return None


class Deadline:
    """`seconds` from now on, without those in which somebody holds it. `moved` is called whenever it has changed."""

    __slots__ = ("_end", "_holders", "_left", "moved")

    def __init__(self, seconds: float, moved: Callable[[], None] = _nothing) -> None:
        self._end = time.monotonic() + seconds
        self._left = 0.0
        self._holders = 0
        self.moved = moved

    @property
    def at(self) -> float:
        """When it is, by `time.monotonic()`; never while it is held."""
        return math.inf if self._holders else self._end

    @property
    def remaining(self) -> float:
        """Seconds until then."""
        return self.at - time.monotonic()

    def hold(self) -> None:
        """Let it stand still."""
        self._holders += 1
        if self._holders == 1:
            self._left = self._end - time.monotonic()
            self.moved()

    def let_go(self) -> None:
        """Let it go on, once nobody else holds it."""
        self._holders -= 1
        if not self._holders:
            self._end = time.monotonic() + self._left
            self.moved()

    def forget(self) -> None:
        """Tell nobody any more that it has changed."""
        self.moved = _nothing


@contextmanager
def held(deadlines: Iterable[Deadline]) -> Generator[None]:
    """Meanwhile, let all of them stand still."""
    holding = list(deadlines)
    for deadline in holding:
        deadline.hold()
    try:
        yield
    finally:
        for deadline in holding:
            deadline.let_go()
