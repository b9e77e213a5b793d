"""`MemoryStore`: the store of tests and of short-lived processes; nothing in it outlives them."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from itertools import count, islice

from gleitzeit.core.errors import ConflictError, RunNotFoundError, ValidationError
from gleitzeit.core.models import OVER, Event
from gleitzeit.store.base import EventDraft, RunPage, RunRow, Snapshot, Store, TaskRow

KEEP = 1_000


class _Kept:
    __slots__ = ("events", "number", "row", "tasks")

    def __init__(self, row: RunRow, number: int) -> None:
        self.row = row
        self.number = number
        self.tasks: dict[str, TaskRow] = {}
        self.events: list[Event] = []

    def append(self, drafts: Sequence[EventDraft]) -> list[Event]:
        run_id, first = self.row.id, len(self.events) + 1
        events = [
            Event(run_id, seq, draft.kind, draft.at, draft.task_id, draft.data)
            for seq, draft in enumerate(drafts, first)
        ]
        self.events += events
        return events


class MemoryStore(Store):
    """Keeps runs in this process: a page costs what it shows, a write what it writes.

    Of the runs that are over, it forgets all but the last `keep`, each with its children. Children are not counted.
    """

    def __init__(self, *, keep: int = KEEP) -> None:
        self._keep = keep
        self._numbers = count()
        self._runs: dict[str, _Kept] = {}
        self._lists: dict[tuple[str | None, str | None], list[_Kept]] = {}
        self._over: deque[_Kept] = deque()

    async def open(self) -> None:
        """Nothing has to be opened."""

    async def close(self) -> None:
        """Nothing has to be closed; what is kept can still be read."""

    async def create(self, run: RunRow, events: Sequence[EventDraft]) -> Sequence[Event]:
        """Add a run. Raises `ConflictError` where its id exists."""
        if run.id in self._runs:
            raise ConflictError(f"the run {run.id} exists already")
        kept = self._runs[run.id] = _Kept(run, next(self._numbers))
        for key in _lists_of(run):
            self._lists.setdefault(key, []).append(kept)
        if run.state in OVER:
            self._end(kept)
        return kept.append(events)

    async def commit(
        self,
        run_id: str,
        epoch: int,
        *,
        tasks: Sequence[TaskRow] = (),
        events: Sequence[EventDraft] = (),
        run: RunRow | None = None,
    ) -> Sequence[Event]:
        """Write task rows, the run's own row if given, and events at once; return the numbered events."""
        kept = self._runs.get(run_id)
        if kept is None:
            raise RunNotFoundError(f"there is no run {run_id}")
        if epoch != kept.row.epoch:
            raise ConflictError(f"the run {run_id} has another owner by now (epoch {kept.row.epoch}, not {epoch})")
        for task in tasks:
            kept.tasks[task.key] = task
        if run is not None:
            ends = run.state in OVER and kept.row.state not in OVER
            kept.row = run
            if ends:
                self._end(kept)
        return kept.append(events)

    async def load(self, run_id: str) -> Snapshot | None:
        """A run with its tasks, or nothing."""
        kept = self._runs.get(run_id)
        return None if kept is None else Snapshot(kept.row, dict(kept.tasks), len(kept.events))

    async def runs(
        self,
        *,
        caller: str | None = None,
        state: str | None = None,
        name: str | None = None,
        parent_id: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> RunPage:
        """Runs that fit, newest first. Raises `ValidationError` for a cursor that it did not give."""
        kept = self._lists.get((parent_id, caller), [])
        end = len(kept) if cursor is None else _place(kept, _number(cursor))
        fitting = (
            one
            for one in _backwards(kept, end)
            if (state is None or one.row.state == state) and (name is None or one.row.workflow.name == name)
        )
        page = list(islice(fitting, limit))
        more = next(fitting, None) is not None
        return RunPage([one.row for one in page], str(page[-1].number) if page and more else None)

    async def events(self, run_id: str, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of a run with a higher `seq` than `after`, in order."""
        kept = self._runs.get(run_id)
        return [] if kept is None else kept.events[max(after, 0) : max(after, 0) + limit]

    def _end(self, kept: _Kept) -> None:
        """Note a run that is over, and forget the first ones that are now too many."""
        if kept.row.parent_id is None:
            self._over.append(kept)
        for _ in range(len(self._over) - self._keep):
            oldest = self._over.popleft()
            family = self._family(oldest)
            if all(one.row.state in OVER for one in family):
                self._forget(family)
            else:  # a child of it is still being stopped
                self._over.append(oldest)

    def _family(self, kept: _Kept) -> list[_Kept]:
        """A run, its children, theirs, and so on."""
        family = [kept]
        for one in family:
            family += self._lists.get((one.row.id, None), [])
        return family

    def _forget(self, family: Sequence[_Kept]) -> None:
        for one in family:
            del self._runs[one.row.id]
            for key in _lists_of(one.row):
                kept = self._lists[key]
                del kept[_place(kept, one.number)]
                if not kept:
                    del self._lists[key]


def _lists_of(run: RunRow) -> tuple[tuple[str | None, str | None], ...]:
    return (run.parent_id, run.caller), (run.parent_id, None)


def _backwards(kept: Sequence[_Kept], end: int) -> Iterator[_Kept]:
    return (kept[index] for index in range(end - 1, -1, -1))


def _number(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise ValidationError(f'"{cursor[:40]}" is not a cursor', hint="pass the cursor of the page before, unchanged")
    return int(cursor)


def _place(kept: Sequence[_Kept], number: int) -> int:
    return bisect_left(kept, number, key=lambda one: one.number)
