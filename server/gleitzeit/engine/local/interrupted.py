"""What becomes of tasks that were under way when their run was: cut off by the end of a process, or cancelled."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from gleitzeit.core.errors import ProviderCrashedError
from gleitzeit.core.keys import is_call, task_of
from gleitzeit.core.models import Failure, Task, TaskState
from gleitzeit.core.nesting import RUN_WORKFLOW
from gleitzeit.engine.local.clock import Clock
from gleitzeit.engine.local.context import Methods
from gleitzeit.engine.local.repeating import repeatable
from gleitzeit.engine.local.waiting import is_held_back, questions_of, without_questions
from gleitzeit.store.base import EventDraft, Snapshot, TaskRow

MOST_CRASHES = 5
"""How often a task is carried out again after the process died, for it may be what kills it each time."""


@dataclass(frozen=True, slots=True)
class Settled:
    """All rows of a run whose process was gone: `changed` are those of them that are not stored yet."""

    rows: dict[str, TaskRow]
    changed: list[TaskRow]
    events: list[EventDraft]

    def stored(self, before: Snapshot) -> dict[str, TaskRow]:
        """The rows as they are shown until tasks run again: questions that were open still are."""
        return {**before.tasks, **{row.key: row for row in self.changed}}


async def settled(snapshot: Snapshot, methods: Methods, clock: Clock) -> Settled:
    """The rows with every task ended that was cut off and must not be repeated; what may be runs again."""
    changed, events = dict[str, TaskRow](), list[EventDraft]()
    snapshot = snapshot._replace(tasks={**snapshot.tasks, **_waiting(snapshot)})
    async for task, row, harmless in _begun(snapshot, methods, "running"):
        ended = _cut_off(task, row, harmless or is_held_back(row), clock.now())
        if ended is not None and ended.failure is not None:
            changed[row.key] = without_questions(ended)
            facts = {"error": ended.failure.to_dict()}
            events.append(EventDraft(f"task.{ended.state}", clock.now(), row.key, facts))
    return Settled({**snapshot.tasks, **changed}, list(changed.values()), events)


def _waiting(snapshot: Snapshot) -> dict[str, TaskRow]:
    """The rows of tasks that wait for answers, as those of tasks that ran: what only waits has not ended its process.

    Their questions stay in them, to be found again by whoever asks the same once more.
    """
    rows = [row for row in snapshot.tasks.values() if row.state == "waiting" and questions_of(row)]
    return {row.key: row._replace(state="running", metadata={**row.metadata, "parked": True}) for row in rows}


async def doubtful(snapshot: Snapshot, methods: Methods) -> Snapshot:
    """The run with `unknown` for what was cancelled while it ran and must not be repeated without asking."""
    rows = dict(snapshot.tasks)
    async for task, row, harmless in _begun(snapshot, methods, "cancelled"):
        if not harmless:
            failure = _nobody_knows(f"{task.method} was cancelled while it ran")
            rows[row.key] = row._replace(state="unknown", failure=failure)
    return snapshot._replace(tasks=rows)


async def _begun(snapshot: Snapshot, methods: Methods, state: TaskState) -> AsyncIterator[tuple[Task, TaskRow, bool]]:
    """Tasks and items in a state that had begun, and whether each may be carried out again."""
    tasks = {task.id: task for task in snapshot.run.workflow.tasks}
    harmless: dict[str, bool] = {}
    for key, row in snapshot.tasks.items():
        if row.state != state or row.started_at is None or row.expanded is not None or is_call(key):
            continue
        task = tasks[task_of(key)]
        if task.id not in harmless:
            harmless[task.id] = await _may_run_again(methods, task, state)
        yield task, row, harmless[task.id]


async def _may_run_again(methods: Methods, task: Task, state: TaskState) -> bool:
    if task.retry_on_crash is not None:
        return task.retry_on_crash
    if task.method == RUN_WORKFLOW:  # it finds its child run again, unless that was cancelled with it
        return state == "running"
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
