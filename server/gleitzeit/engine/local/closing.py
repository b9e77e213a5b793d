"""The rows that end a run before its tasks have ended by themselves."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gleitzeit.core.models import Failure, RunState
from gleitzeit.core.plan import ENDED
from gleitzeit.engine.local.waiting import is_held_back, without_questions
from gleitzeit.store.base import EventDraft, RunRow, TaskRow


@dataclass(frozen=True, slots=True)
class Closing:
    """What is written to end a run."""

    run: RunRow
    tasks: list[TaskRow]
    events: list[EventDraft]


def closing(run: RunRow, rows: Iterable[TaskRow], state: RunState, failure: Failure, now: float) -> Closing:
    """End a run as `state`: tasks that are not over are cancelled; one whose fate is unknown stays so.

    `rows` are those of all tasks and items that have any.
    """
    begun = {row.key: row for row in rows}
    absent = [TaskRow(task.id, "pending") for task in run.workflow.tasks if task.id not in begun]
    open_rows = [row for row in [*begun.values(), *absent] if row.state not in ENDED]
    tasks = [_cancelled(row, now) for row in open_rows]
    events = [EventDraft("task.cancelled", now, row.key) for row in tasks]
    facts = {"reason": failure.message} if state == "cancelled" else {"error": failure.to_dict()}
    events.append(EventDraft(f"run.{state}", now, None, facts))
    return Closing(run._replace(state=state, failure=failure, finished_at=now), tasks, events)


def _cancelled(row: TaskRow, now: float) -> TaskRow:
    """The row of a task that is stopped; one that was held back has done nothing that anybody need know the end of."""
    started_at = None if is_held_back(row) else row.started_at
    return without_questions(row)._replace(state="cancelled", started_at=started_at, finished_at=now)
