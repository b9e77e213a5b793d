"""`RunRows`: what is stored of a run, as far as the run itself still needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from gleitzeit.core.keys import maker_of
from gleitzeit.core.models import OVER
from gleitzeit.store.base import Change, RunRow, Snapshot, TaskRow


class RunRows:
    """The run's row, those of its tasks, and of items and calls those that are still of interest.

    An item is forgotten when it is over, for there may be many thousands, and a call when its task is. `waiting` has
    the keys of tasks and items that wait for an answer.
    """

    __slots__ = ("_calls", "_ids", "_items", "run", "seq", "tasks", "waiting")

    def __init__(self, run: RunRow, rows: Mapping[str, TaskRow] | None = None, seq: int = 0) -> None:
        self.run = run
        self.seq = seq
        self.tasks: dict[str, TaskRow] = {}
        self._ids = {task.id for task in run.workflow.tasks}
        self._items: dict[str, TaskRow] = {}
        self._calls: dict[str, dict[str, TaskRow]] = {}
        self.waiting: set[str] = set()
        if rows:
            self._enter(rows.values())
            self._forget_calls()

    def apply(self, change: Change, seq: int) -> None:
        """Take in what has been written."""
        self.seq = seq
        if change.run is not None:
            self.run = change.run
        self._enter(change.tasks)

    def snapshot(self) -> Snapshot:
        """The run as it is stored, without its items, unless they wait for an answer, and without calls."""
        waiting = {key: self._items[key] for key in self.waiting if key in self._items}
        return Snapshot(self.run, {**self.tasks, **waiting}, self.seq)

    def begun(self, unwritten: Sequence[TaskRow]) -> list[TaskRow]:
        """All rows of tasks, and of items and calls that are not over, with what is about to be written."""
        rows = {**self.tasks, **self._items}
        for calls in self._calls.values():
            rows |= {key: row for key, row in calls.items() if row.state not in OVER}
        for row in unwritten:
            rows[row.key] = row
        return list(rows.values())

    def calls(self, key: str) -> Sequence[TaskRow]:
        """The calls that the code of the task or item `key` has made."""
        return list(self._calls.get(key, {}).values())

    def _enter(self, rows: Iterable[TaskRow]) -> None:
        for row in rows:
            key = row.key
            if key in self._ids:
                self.tasks[key] = row
            elif "/" in key:  # `is_call`, but without the cost of calling it for each of very many items
                self._calls.setdefault(maker_of(key), {})[key] = row
                continue
            elif row.state in OVER:
                self._items.pop(key, None)
            else:
                self._items[key] = row
            if self._calls and row.state in OVER:
                self._calls.pop(key, None)
            if row.state == "waiting":
                self.waiting.add(key)
            elif self.waiting:
                self.waiting.discard(key)

    def _forget_calls(self) -> None:
        for key in [key for key in self._calls if key not in self._items]:
            row = self.tasks.get(key)
            if row is None or row.state in OVER:
                del self._calls[key]
