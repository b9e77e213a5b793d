"""The rows that a resumed run begins with."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gleitzeit.core.decisions import Decision
from gleitzeit.core.models import Failure, TaskState
from gleitzeit.core.resumption import Kept, Past, Wish, what_is_kept
from gleitzeit.engine.base import Resumption
from gleitzeit.store.base import EventDraft, RunRow, Snapshot, TaskRow

_CUT_OFF = Failure("interrupted", "it was cut off, and the run was resumed to make it again")
_STATES: Mapping[Decision, TaskState] = {"skip": "skipped", "completed": "completed", "failed": "failed"}


def resumed_run(
    snapshot: Snapshot, resumption: Resumption, now: float, new_id: str
) -> tuple[RunRow, list[TaskRow], list[EventDraft]]:
    """A new run that goes on from an old one: its row, the rows that it keeps, and what is told of them.

    It is nobody's child, even where the old one was. Raises `ValidationError` for a task that there is not, and
    `ConflictError` where tasks whose end is unknown are not all decided, and where nothing is left to do.
    """
    old = snapshot.run
    workflow = old.workflow if resumption.workflow is None else resumption.workflow
    inputs = old.inputs if resumption.inputs is None else resumption.inputs
    kept = what_is_kept(
        Past(old.workflow, old.inputs, snapshot.tasks, old.state == "completed"),
        Wish(workflow, inputs, resumption.from_task, resumption.unknown),
    )
    row = RunRow(
        id=new_id,
        caller=old.caller,
        workflow=workflow,
        inputs=inputs,
        state="running",
        created_at=now,
        resumed_from=old.id,
        roots=old.roots,
    )
    told = EventDraft("run.submitted", now, None, {"name": workflow.name, "resumed_from": old.id})
    rows = [*_kept(snapshot, kept), *_decided(snapshot, kept, now)]
    return row, rows, [told, *_events(kept, rows, now)]


def _kept(snapshot: Snapshot, kept: Kept) -> Iterator[TaskRow]:
    for key in kept.rows:
        row = snapshot.tasks[key]
        yield row._replace(metadata=_origin(row, snapshot))
    for key in kept.reopened:
        row = snapshot.tasks[key]
        yield row._replace(
            state="running", result=None, failure=None, finished_at=None, metadata=_origin(row, snapshot)
        )
    for key in kept.repeated:
        row = snapshot.tasks[key]
        yield row._replace(state="failed", failure=_CUT_OFF, metadata=_origin(row, snapshot))


def _decided(snapshot: Snapshot, kept: Kept, now: float) -> Iterator[TaskRow]:
    for key, decision in kept.decided.items():
        row = snapshot.tasks[key]
        yield row._replace(
            state=_STATES[decision],
            result={} if decision == "completed" else None,
            failure=_failure(snapshot.run) if decision == "failed" else None,
            finished_at=now,
            metadata={**_origin(row, snapshot), "decided": decision},
        )


def _origin(row: TaskRow, snapshot: Snapshot) -> dict[str, Any]:
    """The row's facts with the run that it is from: the first one, where that was resumed itself."""
    return {"kept_from": snapshot.run.id, **row.metadata}


def _failure(old: RunRow) -> Failure:
    return Failure(
        "decided",
        f"nobody saw how it ended in run {old.id}; whoever resumed that run ({old.caller}) decided that it failed",
    )


def _events(kept: Kept, rows: list[TaskRow], now: float) -> Iterator[EventDraft]:
    for row in rows:
        if row.key in kept.decided:
            facts: dict[str, Any] = {"decided": kept.decided[row.key]}
            if row.failure is not None:
                facts["error"] = row.failure.to_dict()
            yield EventDraft(f"task.{row.state}", now, row.key, facts)
