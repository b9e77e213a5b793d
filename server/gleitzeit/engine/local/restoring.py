"""`Restoration`: what becomes of the tasks that were under way when the process that carried out their run was gone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gleitzeit.core.errors import ProviderCrashedError
from gleitzeit.core.models import OVER, Failure, Task, TaskState
from gleitzeit.core.nesting import RUN_WORKFLOW
from gleitzeit.core.references import Scope
from gleitzeit.engine.evaluator import Evaluator
from gleitzeit.engine.local.clock import Clock
from gleitzeit.engine.local.context import Methods
from gleitzeit.engine.local.dispatch import Dispatch
from gleitzeit.engine.local.items import ItemResults
from gleitzeit.engine.local.repeating import repeatable
from gleitzeit.engine.local.results import measured
from gleitzeit.store.base import EventDraft, RunRow, Snapshot, TaskRow

MOST_CRASHES = 5
"""How often a task is carried out again after the process died, for it may be what kills it each time."""


@dataclass(frozen=True, slots=True)
class Restoration:
    """The rows from which a run goes on: `changed` are those of them that are not stored yet."""

    rows: dict[str, TaskRow]
    changed: list[TaskRow]
    events: list[EventDraft]
    items: dict[str, ItemResults] = field(default_factory=dict[str, ItemResults])


async def restored(
    snapshot: Snapshot, methods: Methods, evaluator: Evaluator, secrets: Mapping[str, str], clock: Clock
) -> Restoration:
    """How a run goes on: what may be repeated runs again, of the rest nobody knows what became of it."""
    settled = await settle(snapshot, methods, clock)
    items = await items_of(snapshot.run, settled.rows, evaluator, secrets)
    events = [EventDraft("run.recovered", clock.now()), *settled.events]
    return Restoration(settled.rows, settled.changed, events, items)


async def settle(snapshot: Snapshot, methods: Methods, clock: Clock) -> Restoration:
    """The rows with every task ended that was cut off and must not be repeated."""
    rows, changed, events = dict(snapshot.tasks), list[TaskRow](), list[EventDraft]()
    async for task, row, harmless in _begun(snapshot, methods, "running"):
        ended = _cut_off(task, row, harmless, clock.now())
        if ended is not None and ended.failure is not None:
            rows[row.key] = ended
            changed.append(ended)
            facts = {"error": ended.failure.to_dict()}
            events.append(EventDraft(f"task.{ended.state}", clock.now(), row.key, facts))
    return Restoration(rows, changed, events)


async def doubtful(snapshot: Snapshot, methods: Methods) -> Snapshot:
    """The run with `unknown` for what was cancelled while it ran and must not be repeated without asking."""
    rows = dict(snapshot.tasks)
    async for task, row, harmless in _begun(snapshot, methods, "cancelled"):
        if not harmless:
            failure = _nobody_knows(f"{task.method} was cancelled while it ran")
            rows[row.key] = row._replace(state="unknown", failure=failure)
    return replace(snapshot, tasks=rows)


async def _begun(snapshot: Snapshot, methods: Methods, state: TaskState) -> AsyncIterator[tuple[Task, TaskRow, bool]]:
    """Tasks and items in a state that had begun, and whether each may be carried out again."""
    tasks = {task.id: task for task in snapshot.run.workflow.tasks}
    harmless: dict[str, bool] = {}
    for key, row in snapshot.tasks.items():
        if row.state != state or row.started_at is None or row.expanded is not None or "/" in key:
            continue
        task = tasks[key.partition("[")[0]]
        if task.id not in harmless:
            harmless[task.id] = await _may_run_again(methods, task)
        yield task, row, harmless[task.id]


async def items_of(
    run: RunRow, rows: Mapping[str, TaskRow], evaluator: Evaluator, secrets: Mapping[str, str]
) -> dict[str, ItemResults]:
    """The items of every foreach that is under way, found again from the same data, with what is known of them."""
    tasks = {task.id: task for task in run.workflow.tasks}
    return {
        key: await _items(run, tasks[key], rows, evaluator, secrets)
        for key, row in rows.items()
        if row.expanded is not None and row.state not in (*OVER, "unknown")
    }


async def _may_run_again(methods: Methods, task: Task) -> bool:
    if task.retry_on_crash is not None:
        return task.retry_on_crash
    if task.method == RUN_WORKFLOW:  # it finds its child run again
        return True
    return task.retry.ambiguous or await repeatable(methods, task)


def _cut_off(task: Task, row: TaskRow, harmless: bool, now: float) -> TaskRow | None:
    """The row that ends a task that was cut off; none where it runs again."""
    if not harmless:
        failure = _nobody_knows(f"the server was gone while {task.method} ran")
        return row._replace(state="unknown", failure=failure, finished_at=now)
    if int(row.metadata.get("crashes", 0)) >= MOST_CRASHES and task.method != RUN_WORKFLOW:
        error = ProviderCrashedError(
            f"{task.method} was cut off {MOST_CRASHES + 1} times by the end of the server that carried it out",
            hint="it may be what ends the server: look at its log, and at the memory that the task takes",
        )
        return row._replace(state="failed", failure=Failure.of(error), finished_at=now)
    return None


def _nobody_knows(what: str) -> Failure:
    return Failure(
        "interrupted",
        f"{what}: nobody knows whether it was carried out",
        "find out, and resume the run with what became of it",
        ambiguous=True,
    )


async def _items(
    run: RunRow, task: Task, rows: Mapping[str, TaskRow], evaluator: Evaluator, secrets: Mapping[str, str]
) -> ItemResults:
    results: dict[str, Any] = {key: row.result for key, row in rows.items() if "[" not in key and "/" not in key}
    scope = Scope(results, run.inputs, run.id, secrets=secrets)
    items = ItemResults(await Dispatch(task).items(evaluator.for_run(), scope))
    prefix = f"{task.id}["
    for key, row in rows.items():
        if key.startswith(prefix) and "/" not in key and row.state in (*OVER, "unknown"):
            items.note(int(key[len(prefix) : -1]), row, measured(row.result)[1])
    return items
