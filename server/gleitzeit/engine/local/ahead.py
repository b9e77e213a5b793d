"""`Ahead`: the authors whose drafts wait a little, for more that is written with them."""

from __future__ import annotations

import asyncio  # for its timers: a task that waits and is woken costs more than a commit's own work
from collections.abc import Callable

from gleitzeit.engine.local.draft import Author

SECONDS = 0.005
"""How long a draft waits, before it is due."""


class Ahead:
    """Calls `due` with each author that has waited long enough since it was first let go ahead."""

    def __init__(self, due: Callable[[Author], None]) -> None:
        self._due = due
        self._until: dict[Author, float] = {}  # in the order of their time
        self._timer: asyncio.TimerHandle | None = None

    def __bool__(self) -> bool:
        """Whether any draft waits."""
        return bool(self._until)

    def let(self, author: Author) -> None:
        """Let a draft wait, from now on or still."""
        if author not in self._until:
            loop = asyncio.get_running_loop()
            self._until[author] = until = loop.time() + SECONDS
            if self._timer is None:
                self._timer = loop.call_at(until, self._look)

    def end(self, author: Author) -> None:
        """Its draft is written now."""
        self._until.pop(author, None)

    def is_over(self, author: Author) -> bool:
        """Whether its draft has waited long enough."""
        until = self._until.get(author)
        return until is not None and until <= asyncio.get_running_loop().time()

    def end_all(self) -> None:
        """Let none wait any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._until = dict.fromkeys(self._until, 0.0)
        self._look()

    def _look(self) -> None:
        loop = asyncio.get_running_loop()
        self._timer, now = None, loop.time()
        for author, until in list(self._until.items()):
            if until > now:
                self._timer = loop.call_at(until, self._look)
                return
            self._due(author)
