"""Stored rows as the values that users see."""

from __future__ import annotations

from gleitzeit.core.models import Run, TaskResult
from gleitzeit.engine.base import RunList, RunSummary
from gleitzeit.store.base import RunHead, RunPage, Snapshot, TaskRow


def run_of(snapshot: Snapshot) -> Run:
    """A run with its tasks in the order of the document."""
    row, tasks = snapshot.run, snapshot.tasks
    return Run(
        id=row.id,
        name=row.workflow.name,
        status=row.state,
        inputs=row.inputs,
        tasks={task.id: result_of(task.id, tasks.get(task.id)) for task in row.workflow.tasks},
        outputs=row.outputs,
        error=row.failure,
        created_at=row.created_at,
        finished_at=row.finished_at,
        parent_id=row.parent_id,
        resumed_from=row.resumed_from,
        seq=snapshot.seq,
    )


def result_of(task_id: str, row: TaskRow | None) -> TaskResult:
    """What became of a task; one without a row has not begun."""
    if row is None:
        return TaskResult(task_id, "pending")
    return TaskResult(
        task_id=task_id,
        status=row.state,
        result=row.result,
        error=row.failure,
        attempts=row.attempts,
        started_at=row.started_at,
        finished_at=row.finished_at,
        metadata=row.metadata,
        not_before=row.not_before,
    )


def list_of(page: RunPage) -> RunList:
    """A page of runs as lists show them."""
    return RunList([_summary(row) for row in page.runs], page.cursor)


def _summary(row: RunHead) -> RunSummary:
    error = row.failure.message if row.failure else None
    return RunSummary(
        id=row.id,
        name=row.name,
        status=row.state,
        created_at=row.created_at,
        finished_at=row.finished_at,
        error=error,
    )
