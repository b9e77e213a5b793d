"""`MemoryStore`: the store of tests and of short-lived processes; nothing in it outlives them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import islice

from gleitzeit.core.errors import ConflictError, RunNotFoundError, ValidationError
from gleitzeit.core.models import Event
from gleitzeit.store.base import EventDraft, RunPage, RunRow, Snapshot, Store, TaskRow


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
    """Keeps runs in this process: a page costs what it shows, a write what it writes."""

    def __init__(self) -> None:
        self._runs: dict[str, _Kept] = {}
        self._lists: dict[tuple[str | None, str | None], list[_Kept]] = {}

    async def open(self) -> None:
        """Nothing has to be opened."""

    async def close(self) -> None:
        """Nothing has to be closed; what is kept can still be read."""

    async def create(self, run: RunRow, events: Sequence[EventDraft]) -> Sequence[Event]:
        """Add a run. Raises `ConflictError` where its id exists."""
        if run.id in self._runs:
            raise ConflictError(f"the run {run.id} exists already")
        kept = self._runs[run.id] = _Kept(run, len(self._runs))
        for key in ((run.parent_id, run.caller), (run.parent_id, None)):
            self._lists.setdefault(key, []).append(kept)
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
            kept.row = run
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


def _backwards(kept: Sequence[_Kept], end: int) -> Iterator[_Kept]:
    return (kept[index] for index in range(end - 1, -1, -1))


def _number(cursor: str) -> int:
    if not cursor.isascii() or not cursor.isdigit() or len(cursor) > 18:
        raise ValidationError(f'"{cursor[:40]}" is not a cursor', hint="pass the cursor of the page before, unchanged")
    return int(cursor)


def _place(kept: Sequence[_Kept], number: int) -> int:
    return bisect_left(kept, number, key=lambda one: one.number)
