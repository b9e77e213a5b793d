"""What a database says once all is over, held against what tasks really did."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from tests.chaos.witness import Sighting

from gleitzeit.core.models import OVER, Event
from gleitzeit.store.base import Owner, RunHead, Snapshot, Store
from gleitzeit.store.sqlite import SqliteStore

ONCE = {"chaos/once", "chaos/gate_once"}
"""Methods that must not be carried out twice."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """One run with its rows and all of its events."""

    snapshot: Snapshot
    events: Sequence[Event]

    @property
    def id(self) -> str:
        """The run's id."""
        return self.snapshot.run.id

    @property
    def state(self) -> str:
        """The run's state."""
        return self.snapshot.run.state


@asynccontextmanager
async def opened(database: Path) -> AsyncGenerator[Store]:
    """A look into the file, by a process that carries nothing out."""
    store = SqliteStore(database)
    await store.open(Owner("verdict"))
    try:
        yield store
    finally:
        await store.close()


async def everything(database: Path) -> dict[str, Recorded]:
    """All runs of a database, children among them."""
    async with opened(database) as store:
        found: dict[str, Recorded] = {}
        rows = await _rows(store, None)
        while rows:
            row = rows.pop()
            found[row.id] = await _recorded(store, row.id)
            rows += await _rows(store, row.id)
    return found


async def _rows(store: Store, parent_id: str | None) -> list[RunHead]:
    rows: list[RunHead] = []
    cursor: str | None = None
    while True:
        page = await store.runs(parent_id=parent_id, limit=100, cursor=cursor)
        rows += page.runs
        cursor = page.cursor
        if cursor is None:
            return rows


async def _recorded(store: Store, run_id: str) -> Recorded:
    snapshot = await store.load(run_id)
    assert snapshot is not None
    events: list[Event] = []
    while more := await store.events(run_id, events[-1].seq if events else 0):
        events += more
    return Recorded(snapshot, events)


def check_integrity(database: Path) -> None:
    """The file is a whole database."""
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]


def check_consistency(runs: Collection[Recorded]) -> None:
    """Rows and events tell the same, and each result was recorded once."""
    for run in runs:
        _check_order(run)
        _check_tasks(run)
        _check_end(run)


def _check_order(run: Recorded) -> None:
    numbers = [event.seq for event in run.events]
    assert numbers == list(range(1, run.snapshot.seq + 1)), (run.id, numbers, run.snapshot.seq)
    assert run.events[0].kind == "run.submitted", run.events[0]


def _check_tasks(run: Recorded) -> None:
    told = Counter((event.task_id, event.kind) for event in run.events)
    for key, row in run.snapshot.tasks.items():
        ends = {state: told[key, f"task.{state}"] for state in OVER if told[key, f"task.{state}"]}
        told_here = row.state in OVER and ("kept_from" not in row.metadata or "decided" in row.metadata)
        assert ends == ({row.state: 1} if told_here else {}), (run.id, key, row, ends)
    strangers = {key for key, _ in told if key is not None} - run.snapshot.tasks.keys()
    assert not strangers, (run.id, strangers)


def _check_end(run: Recorded) -> None:
    ends = [event.kind for event in run.events if event.kind in {"run.completed", "run.failed", "run.cancelled"}]
    if run.state not in OVER:
        assert ends == [], (run.id, run.state, ends)
        return
    assert ends == [f"run.{run.state}"], (run.id, run.state, ends)
    assert run.events[-1].kind == ends[0], (run.id, [event.kind for event in run.events])
    left = {key: row.state for key, row in run.snapshot.tasks.items() if row.state not in {*OVER, "unknown"}}
    assert not left, (run.id, run.state, left)


def check_ends(runs: Collection[Recorded]) -> None:
    """All are over as they should be; one may fail alone because its task was cut off by too many kills."""
    assert {run.state for run in runs} <= {"completed", "cancelled", "failed"}, {run.id: run.state for run in runs}
    failures = [run.snapshot.run.failure for run in runs if run.state == "failed"]
    assert all(failure is not None and failure.code == "provider_crashed" for failure in failures), failures


def check_executions(runs: Mapping[str, Recorded], lines: Sequence[Sighting]) -> None:
    """No attempt was made twice, each was recorded before it was made, and what must not repeat did not."""
    begun = [line for line in lines if line.what == "start"]
    attempts = Counter((line.run, line.task, line.attempt) for line in begun)
    doubled = {attempt: times for attempt, times in attempts.items() if times > 1}
    assert not doubled, doubled
    strangers = {line.run for line in begun} - runs.keys()
    assert not strangers, f"{strangers} were carried out but are not there"
    for line in begun:
        task = line.task.partition("/")[0]  # a call that may be repeated is recorded with its end alone
        row = runs[line.run].snapshot.tasks[task]
        assert line.attempt <= row.attempts, (line, row)
    starts = Counter((line.run, line.task) for line in begun)
    single = {(line.run, line.task) for line in begun if line.method in ONCE or line.task == "once"}
    repeated = {key: starts[key] for key in single if starts[key] > 1}
    assert not repeated, repeated
    _check_completed(runs.values(), starts)


def _check_completed(runs: Collection[Recorded], starts: Mapping[tuple[str, str], int]) -> None:
    for run in runs:
        for task in run.snapshot.run.workflow.tasks:
            row = run.snapshot.tasks.get(task.id)
            if row is not None and row.state == "completed" and task.method == "chaos/step" and task.foreach is None:
                assert starts.get((run.id, task.id), 0) >= 1 or run.snapshot.run.resumed_from, (run.id, task.id)
                assert row.result == {"value": task.parameters.get("value")}, (run.id, task.id, row)


async def open_runs(database: Path) -> list[str]:
    """The ids of the runs without a parent that are not over."""
    async with opened(database) as store:
        return [row.id for row in await _rows(store, None) if row.state not in OVER]
