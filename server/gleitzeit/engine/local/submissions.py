"""Submissions as they are recorded: the row that a new run begins with, and what tells one submission from another."""

from __future__ import annotations

import secrets as randomness
from collections.abc import Mapping

from gleitzeit.core.digest import digest
from gleitzeit.core.errors import GleitzeitError
from gleitzeit.engine.base import Resumption, Submission
from gleitzeit.engine.local.clock import Clock
from gleitzeit.engine.local.results import measured
from gleitzeit.store.base import Change, EventDraft, RunRow, Store


def digest_of(submission: Submission) -> str:
    """What tells a submission from others: its document and inputs, and the attempt of a task that it is made by."""
    return f"{digest(submission.workflow.canonical(), measured(submission.inputs)[0])}.{submission.attempt}"


def row_of(submission: Submission, above: RunRow | None, clock: Clock, boot: str) -> RunRow:
    """The row of a new run; `above` is that of its parent, whose caller and folders are its own."""
    inputs: Mapping[str, object] = measured(submission.inputs)[0] if submission.inputs else {}
    marked = submission.idempotency_key is not None or above is not None
    roots = tuple(str(root) for root in submission.roots)
    return RunRow(
        id=submission.run_id or randomness.token_hex(8),
        caller=submission.caller if above is None else above.caller,
        workflow=submission.workflow,
        inputs=inputs,
        state="running",
        created_at=clock.now(),
        parent_id=submission.parent_id,
        parent_task=submission.parent_task,
        root_id=None if above is None else above.root_id or above.id,
        idempotency_key=submission.idempotency_key,
        digest=digest_of(submission) if marked else None,
        roots=roots or (() if above is None else above.roots),
        boot=boot,
        uptime=clock.uptime(),
    )


def with_key(row: RunRow, resumption: Resumption, earlier: str) -> RunRow:
    """The row of a resumed run, with a key: whoever resumes the same run in the same way finds it again.

    `earlier` is the run that this was done by before, if it was.
    """
    way = digest(row.workflow.canonical(), row.inputs, resumption.from_task, dict(resumption.unknown), earlier)
    return row._replace(idempotency_key=f"resume {row.resumed_from} {way}", digest=way)


def submitted(row: RunRow) -> EventDraft:
    """What is told of a new run first."""
    return EventDraft("run.submitted", row.created_at, None, {"name": row.workflow.name})


async def record(row: RunRow, store: Store) -> None:
    """Record a new run and leave it to whoever takes it up. Raises why it can't be recorded."""
    (outcome,) = await store.commit([Change(row.id, row.epoch, (), [submitted(row)], row, new=True, release=True)])
    if isinstance(outcome, GleitzeitError):
        raise outcome
