"""The values of the contract as rows of the tables, and back."""

from __future__ import annotations

from typing import Any

from gleitzeit.core.adapting import to_json
from gleitzeit.core.models import OVER, Event
from gleitzeit.store.base import RunHead, RunRow, SavedWorkflow, TaskRow
from gleitzeit.store.sqlite.packing import pack, pack_failure, to_text, unpack, unpack_failure, unpack_workflow

Row = tuple[Any, ...]


def from_task(n: int, task: TaskRow) -> Row:
    """A row of `task`."""
    result, failure, metadata = task.result, task.failure, task.metadata
    return (
        n,
        task.key,
        task.state,
        task.attempts,
        None if result is None else pack(result),
        None if failure is None else pack_failure(failure),
        task.started_at,
        task.finished_at,
        task.expanded,
        task.not_before,
        to_text(metadata) if metadata else None,
    )


def to_task(row: Row) -> TaskRow:
    """A task from its row, without the run's number."""
    key, state, attempts, result, failure, started_at, finished_at, expanded, not_before, metadata = row
    return TaskRow(
        key,
        state,
        attempts,
        None if result is None else unpack(result),
        None if failure is None else unpack_failure(failure),
        started_at,
        finished_at,
        expanded,
        not_before,
        {} if metadata is None else unpack(metadata),
    )


def from_run(run: RunRow, seq: int, owner: str | None) -> Row:
    """A row of `run`, without its number."""
    return (
        run.id,
        seq,
        run.epoch,
        owner,
        run.state,
        run.state in OVER,
        run.caller,
        run.workflow.name,
        run.created_at,
        run.finished_at,
        run.parent_id,
        run.parent_task,
        run.root_id,
        run.resumed_from,
        run.idempotency_key,
        run.digest,
        run.boot,
        run.uptime,
    )


def from_content(n: int, run: RunRow) -> dict[str, Any]:
    """A row of `content`."""
    return {
        **from_ending(n, run),
        "roots": to_text(run.roots) if run.roots else None,
        "inputs": pack(run.inputs) if run.inputs else None,
        "workflow": to_json(run.workflow),
    }


def from_ending(n: int, run: RunRow) -> dict[str, Any]:
    """What of a row of `content` a run ends with."""
    return {"run": n, "outputs": pack(run.outputs) if run.outputs else None, "failure": pack_failure(run.failure)}


def to_run(row: Row) -> tuple[int, int, str | None, RunRow]:
    """The number, the last `seq`, the owner and the run, from what `select_run` gives."""
    n, seq, owner, *fields = row
    run_id, caller, workflow, inputs, state, created_at, finished_at, outputs, failure, *fields = fields
    parent_id, parent_task, root_id, resumed_from, idempotency_key, digest, roots, boot, uptime, epoch = fields
    run = RunRow(
        id=run_id,
        caller=caller,
        workflow=unpack_workflow(workflow),
        inputs=unpack(inputs) or {},
        state=state,
        created_at=created_at,
        finished_at=finished_at,
        outputs=unpack(outputs) or {},
        failure=unpack_failure(failure),
        parent_id=parent_id,
        parent_task=parent_task,
        root_id=root_id,
        resumed_from=resumed_from,
        idempotency_key=idempotency_key,
        digest=digest,
        roots=tuple(unpack(roots) or ()),
        boot=boot,
        uptime=uptime,
        epoch=epoch,
    )
    return n, seq, owner, run


def to_event(run_id: str, row: Row) -> Event:
    """An event from its row, without the run's number."""
    seq, kind, at, task_id, data = row
    return Event(run_id, seq, kind, at, task_id, {} if data is None else unpack(data))


def to_saved(caller: str, row: Row) -> SavedWorkflow:
    """A saved workflow from its row."""
    body, version, created_at, updated_at = row
    return SavedWorkflow(caller, unpack_workflow(body), version, created_at, updated_at)


def from_saved(saved: SavedWorkflow) -> Row:
    """A row of `workflow`."""
    return (saved.caller, saved.name, to_json(saved.workflow), saved.version, saved.created_at, saved.updated_at)


def to_head(row: Row) -> tuple[int, RunHead]:
    """The number of a run, and what a list shows of it."""
    n, run_id, caller, name, state, created_at, finished_at, failure, *origin = row
    parent_id, parent_task, resumed_from, digest, owner = origin
    head = RunHead(
        id=run_id,
        caller=caller,
        name=name,
        state=state,
        created_at=created_at,
        finished_at=finished_at,
        failure=unpack_failure(failure),
        parent_id=parent_id,
        parent_task=parent_task,
        resumed_from=resumed_from,
        digest=digest,
        owner=owner,
    )
    return n, head
