"""`Slots`: how many tasks of all runs are carried out at once in this process."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

import anyio


class Slots:
    """Slots go round: of all runs that wait for one, each gets one before any gets another.

    A task that comes back to its own goes first.
    """

    __slots__ = ("_free", "_returning", "_waiting")

    def __init__(self, number: int | None) -> None:
        self._free: float = float("inf") if number is None else number
        self._waiting: OrderedDict[str, deque[Callable[[], bool]]] = OrderedDict()
        self._returning: deque[anyio.Event] = deque()

    def take(self, run_id: str, later: Callable[[], bool]) -> bool:
        """Take a slot for a run, or have `later` called with one: it says whether it still has a use for it.

        True where there is one now; `later` is not called then.
        """
        if self._free > 0:
            self._free -= 1
            return True
        self._waiting.setdefault(run_id, deque()).append(later)
        return False

    def release(self) -> None:
        """Let somebody else have the slot."""
        if self._returning:
            self._returning.popleft().set()
            return
        while self._waiting:
            run_id, waiting = self._waiting.popitem(last=False)
            later = waiting.popleft()
            if waiting:
                self._waiting[run_id] = waiting
            if later():
                return
        self._free += 1

    async def regain(self) -> None:
        """Take a slot again after having released it for a while."""
        if self._free > 0:
            self._free -= 1
            return
        granted = anyio.Event()
        self._returning.append(granted)
        try:
            await granted.wait()
        except BaseException:
            if granted.is_set():
                self.release()
            else:
                self._returning.remove(granted)
            raise
