"""`Place`: a place among the tasks that may run at once in this process, left while a task waits for its children."""

from __future__ import annotations

import anyio


class Place:
    """One task's place; without a limit there is always one."""

    __slots__ = ("_away", "_places", "_taken")

    def __init__(self, places: anyio.Semaphore | None) -> None:
        self._places = places
        self._taken = False
        self._away = 0

    async def take(self) -> None:
        """Wait for a place."""
        if self._places is not None and not self._taken:
            await self._places.acquire()
            self._taken = True

    def give_up(self) -> None:
        """Let somebody else have the place."""
        if self._places is not None and self._taken:
            self._taken = False
            self._places.release()

    def leave(self) -> None:
        """Give the place up for as long as a child runs."""
        self._away += 1
        self.give_up()

    async def come_back(self) -> None:
        """Take a place again once no child is waited for any more."""
        self._away -= 1
        if self._away == 0:
            await self.take()
