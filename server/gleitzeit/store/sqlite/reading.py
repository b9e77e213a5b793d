"""What is read of runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from gleitzeit.core.models import Event
from gleitzeit.store.base import CachedResult, RunPage, SavedWorkflow, Snapshot
from gleitzeit.store.sqlite.packing import unpack
from gleitzeit.store.sqlite.queries import QUERIES
from gleitzeit.store.sqlite.rows import to_event, to_head, to_run, to_saved, to_task


def snapshot(connection: sqlite3.Connection, run_id: str) -> Snapshot | None:
    """A run with its tasks."""
    row = connection.execute(QUERIES["select_run"], (run_id,)).fetchone()
    if row is None:
        return None
    n, seq, owner, run = to_run(row)
    tasks = (to_task(task) for task in connection.execute(QUERIES["select_tasks"], (n,)))
    return Snapshot(run, {task.key: task for task in tasks}, seq, owner)


def page(connection: sqlite3.Connection, filters: dict[str, Any], limit: int) -> RunPage:
    """A page of runs."""
    query = QUERIES["list_runs" if filters["parent_id"] is None else "list_children"]
    heads = [to_head(row) for row in connection.execute(query, {**filters, "limit": limit + 1})]
    more = len(heads) > limit > 0
    return RunPage([head for _, head in heads[:limit]], str(heads[limit - 1][0]) if more else None)


def events(connection: sqlite3.Connection, run_id: str, after: int, limit: int) -> Sequence[Event]:
    """Events of a run after one of them."""
    row = connection.execute(QUERIES["select_number"], (run_id,)).fetchone()
    if row is None:
        return []
    return [to_event(run_id, event) for event in connection.execute(QUERIES["select_events"], (row[0], after, limit))]


def cached(connection: sqlite3.Connection, caller: str, digest: str, now: float) -> CachedResult | None:
    """A result that may be used again."""
    row = connection.execute(QUERIES["select_cached"], (digest, caller, now)).fetchone()
    return None if row is None else CachedResult(unpack(row[0]), row[1], row[2])


def workflow(connection: sqlite3.Connection, caller: str, name: str) -> SavedWorkflow | None:
    """A saved workflow."""
    row = connection.execute(QUERIES["select_workflow"], (caller, name)).fetchone()
    return None if row is None else to_saved(caller, row)


def workflows(connection: sqlite3.Connection, caller: str) -> Sequence[SavedWorkflow]:
    """All that a caller saved."""
    return [to_saved(caller, row) for row in connection.execute(QUERIES["select_workflows"], (caller,))]


def workflows_state(connection: sqlite3.Connection) -> str:
    """What differs after anybody has saved, changed or deleted a workflow."""
    return connection.execute(QUERIES["select_workflows_state"]).fetchone()[0] or ""
