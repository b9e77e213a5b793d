"""`Slots`: how many tasks of all runs are carried out at once in this process."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from gleitzeit.core.shares import Turns

Grant = Callable[[], bool]
"""Called with a slot: says whether there is still a use for it."""


class Slots:
    """Slots are shared by callers first, and by their runs then: of those that wait, who holds least gets the next."""

    __slots__ = ("_free", "_turns")

    def __init__(self, number: int | None) -> None:
        self._free: float = float("inf") if number is None else number
        self._turns = Turns[Grant]()

    def take(self, caller: str, run_id: str, later: Grant) -> bool:
        """Take a slot for a run of a caller, or have `later` called with one.

        True where there is one now; `later` is not called then.
        """
        if self._free > 0:
            self._free -= 1
            self._turns.hold(caller)
            return True
        self._turns.wait(caller, run_id, later)
        return False

    def release(self, caller: str) -> None:
        """Let somebody else have a slot of this caller's."""
        self._turns.let_go(caller)
        while (following := self._turns.next()) is not None:
            whose, grant = following
            self._turns.hold(whose)
            if grant():
                return
            self._turns.let_go(whose)
        self._free += 1

    async def regain(self, caller: str) -> None:
        """Take a slot again after having released it for a while."""
        if self._free > 0:
            self._free -= 1
            self._turns.hold(caller)
            return
        granted = anyio.Event()

        def grant() -> bool:
            granted.set()
            return True

        self._turns.wait_first(caller, grant)
        try:
            await granted.wait()
        except BaseException:
            if granted.is_set():
                self.release(caller)
            else:
                self._turns.withdraw(caller, grant)
            raise
