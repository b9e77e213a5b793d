"""Stored rows as the values that users see."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gleitzeit.core.models import Run, TaskResult
from gleitzeit.engine.base import RunList, RunSummary
from gleitzeit.engine.local.waiting import questions_in, without_questions
from gleitzeit.store.base import RunHead, RunPage, Snapshot, TaskRow


def run_of(snapshot: Snapshot) -> Run:
    """A run with its tasks in the order of the document."""
    row, tasks = snapshot.run, snapshot.tasks
    questions = questions_in(tasks.values()) if row.state == "running" else ()
    return Run(
        id=row.id,
        name=row.workflow.name,
        status="waiting" if questions else row.state,
        inputs=row.inputs,
        tasks=Results([task.id for task in row.workflow.tasks], tasks),
        outputs=dict(row.outputs),
        error=row.failure,
        created_at=row.created_at,
        finished_at=row.finished_at,
        parent_id=row.parent_id,
        resumed_from=row.resumed_from,
        seq=snapshot.seq,
        questions=questions,
    )


def results_of(snapshot: Snapshot) -> Mapping[str, TaskResult]:
    """What became of each task, in the order of the document, and then of each item and call that has begun."""
    tasks = [task.id for task in snapshot.run.workflow.tasks]
    return Results([*tasks, *snapshot.tasks], snapshot.tasks)


class Results(Mapping[str, TaskResult]):
    """What became of each of these, by key; made when it is looked at, for most of a run with many tasks never is."""

    __slots__ = ("_ids", "_made", "_rows")

    def __init__(self, ids: Iterable[str], rows: Mapping[str, TaskRow]) -> None:
        self._ids = dict.fromkeys(ids)
        self._rows = rows
        self._made: dict[str, TaskResult] = {}

    def __getitem__(self, task_id: str) -> TaskResult:
        if task_id not in self._made:
            if task_id not in self._ids:
                raise KeyError(task_id)
            self._made[task_id] = result_of(task_id, self._rows.get(task_id))
        return self._made[task_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._ids)

    def __len__(self) -> int:
        return len(self._ids)

    def __repr__(self) -> str:
        return repr(dict(self))


def result_of(task_id: str, row: TaskRow | None) -> TaskResult:
    """What became of a task; one without a row has not begun."""
    if row is None:
        return TaskResult(task_id, "pending")
    row = without_questions(row)  # the run shows them
    return TaskResult(
        task_id=task_id,
        status=row.state,
        result=row.result,
        error=row.failure,
        attempts=row.attempts,
        started_at=row.started_at,
        finished_at=row.finished_at,
        metadata=dict(row.metadata),
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
