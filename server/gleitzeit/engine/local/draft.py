"""`Draft`: what a run has to write next, and what waits for that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.engine.local.clock import Clock
from gleitzeit.engine.local.context import Ending
from gleitzeit.engine.local.work import Work
from gleitzeit.engine.waiters import Waiters
from gleitzeit.store.base import CacheEntry, Change, Committed, EventDraft, RunRow, TaskRow


class Receipt:
    """Says whether something has been written; it is `settled` once it has been, or was refused.

    Whoever waits for it may be `patient`: then it need not be written at once.
    """

    __slots__ = ("_error", "_waiters", "patient", "settled")

    def __init__(self) -> None:
        self.settled = False
        self.patient = False
        self._waiters = Waiters()
        self._error: GleitzeitError | None = None

    def settle(self, error: GleitzeitError | None = None) -> None:
        """It has been, or it will not be because of `error`."""
        self._error = error
        self.settled = True
        self._waiters.wake()

    async def wait(self) -> None:
        """Return once it is durable. Raises why it is not."""
        if not self.settled:
            await self._waiters.wait()
        if self._error is not None:
            raise self._error


class Draft:
    """Grows until it is written; then its works start and its receipts are given.

    It is `urgent` once it has the beginning or the end of what does more than read, and `closed` once the run's end by
    force stands in it.
    """

    __slots__ = ("cache", "closed", "events", "new", "receipts", "release", "run", "starts", "tasks", "urgent")

    def __init__(self) -> None:
        self.tasks: list[TaskRow] = []
        self.events: list[EventDraft] = []
        self.starts: list[Work] = []
        self.receipts: list[Receipt] = []
        self.cache: list[CacheEntry] = []
        self.run: RunRow | None = None
        self.new = False
        self.release = False
        self.urgent = False
        self.closed = False

    @property
    def empty(self) -> bool:
        """Whether there is nothing in it and nobody waits for it."""
        return not (self.tasks or self.events or self.starts or self.receipts or self.run or self.release)

    @property
    def can_wait(self) -> bool:
        """Whether nobody would miss it yet, if this process ended now and everything in it were done again."""
        going_on = self.run is None or self.run.state == "running"
        awaited = not all(receipt.patient for receipt in self.receipts)
        # A task like one that is kept looks for it in the store.
        return not (self.urgent or awaited or self.cache or self.release or self.empty) and going_on

    def row(self, key: str) -> TaskRow | None:
        """The row of `key` in it, if there is one."""
        return next((row for row in reversed(self.tasks) if row.key == key), None)

    def start(self, work: Work, clock: Clock) -> None:
        """Have a work begin once that is written."""
        if work.certain:
            attempt = work.attempt
            if attempt.started_at is None:
                attempt.started_at = clock.now()
                self.events.append(EventDraft("task.started", attempt.started_at, work.key))
            self.tasks.append(attempt.begun())
        self.starts.append(work)
        self.urgent = self.urgent or not work.only_reads

    def end(self, work: Work, ending: Ending) -> None:
        """Enter what became of an attempt."""
        self.events += ending.events
        self.tasks.append(ending.row)
        self.urgent = self.urgent or not work.only_reads

    def refuse(self, error: GleitzeitError) -> None:
        """Tell whoever waits for it why it will not be written."""
        for receipt in self.receipts:
            receipt.settle(error)

    def change(self, run_id: str, epoch: int) -> Change:
        """The draft as it is written."""
        return Change(run_id, epoch, self._last_rows(), self.events, self.run, self.new, self.release, self.cache)

    def _last_rows(self) -> Sequence[TaskRow]:
        """Of each key its last row: what has waited may have several."""
        return self.tasks if len(self.tasks) < 2 else list({row.key: row for row in self.tasks}.values())


class Author(Protocol):
    """Whoever has something to write. While it is `refusable`, nobody relies on it yet."""

    @property
    def refusable(self) -> bool:
        """Whether nothing of it has been written, and whoever wants it can ask again."""
        ...

    def go_ahead(self) -> bool:
        """Begin what need not be written first; whether all that is to be written can wait a little."""
        ...

    def draft(self) -> tuple[Draft, Change] | None:
        """What is to be written now, if anything."""
        ...

    def written(self, draft: Draft, change: Change, outcome: Committed) -> None:
        """What became of it."""
        ...


Drafts = Sequence[tuple[Author, Draft, Change]]
