"""`ItemResults`: what the items of one foreach came to, until they are one list; `items_of` finds them again."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gleitzeit.core.keys import index_of, is_call, is_item, task_of
from gleitzeit.core.models import Failure, Task
from gleitzeit.core.plan import ENDED
from gleitzeit.core.references import Scope
from gleitzeit.engine.evaluator import Evaluator
from gleitzeit.engine.local.dispatch import Dispatch
from gleitzeit.engine.local.results import measured, too_large
from gleitzeit.store.base import RunRow, TaskRow


class ItemResults:
    """Results in the order of the items; null for one that failed."""

    def __init__(self, items: Sequence[Any]) -> None:
        self.items = items
        self._results: list[Any] = [None] * len(items)
        self._bad: dict[int, TaskRow] = {}
        self._size = 2

    def note(self, index: int, row: TaskRow, size: int) -> None:
        """Take in what an item came to, with a result of about `size` bytes."""
        self._results[index] = row.result
        self._size += size + 2
        if row.state in ("failed", "unknown"):
            self._bad[index] = row

    def joined(self, limit: int) -> list[Any]:
        """All results. Raises `LimitError` where together they are over `limit` bytes."""
        if self._size > limit:
            raise too_large(limit)
        return self._results

    def failure(self, state: str) -> Failure:
        """Why the whole came to `state`: how many items did, and the first of them in its own words."""
        bad = {index: row for index, row in self._bad.items() if row.state == state}
        first = bad[min(bad)]
        failure = first.failure or Failure("internal", "it gave no reason")
        verb = "failed" if state == "failed" else "ended with nobody knowing how"
        return replace(
            failure,
            message=f"{len(bad)} of {len(self.items)} items {verb}; the first, {first.key}: {failure.message}",
            details={"items": [bad[index].key for index in sorted(bad)[:100]]},
        )


async def items_of(
    run: RunRow, rows: Mapping[str, TaskRow], evaluator: Evaluator, secrets: Mapping[str, str]
) -> dict[str, ItemResults]:
    """The items of every foreach that is under way, found again from the same data, with what is known of them."""
    tasks = {task.id: task for task in run.workflow.tasks}
    return {
        key: await _items(run, tasks[key], rows, evaluator, secrets)
        for key, row in rows.items()
        if row.expanded is not None and row.state not in ENDED
    }


async def _items(
    run: RunRow, task: Task, rows: Mapping[str, TaskRow], evaluator: Evaluator, secrets: Mapping[str, str]
) -> ItemResults:
    results: dict[str, Any] = {key: row.result for key, row in rows.items() if not (is_item(key) or is_call(key))}
    scope = Scope(results, run.inputs, run.id, secrets=secrets)
    items = ItemResults(await Dispatch(task).items(evaluator.for_run(), scope))
    for key, row in rows.items():
        if is_item(key) and task_of(key) == task.id and row.state in ENDED:
            items.note(index_of(key), row, measured(row.result, sys.maxsize)[1])  # what is stored was not too large
    return items
