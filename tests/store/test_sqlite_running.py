"""What becomes of a store whose database fails while it is used."""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.store.databases import ids, new, opened

from gleitzeit.core.errors import GleitzeitError, StoreError
from gleitzeit.store.base import HEARTBEAT, LEASE, Change, EventDraft, Owner, TaskRow
from gleitzeit.store.sqlite import SqliteStore
from gleitzeit.store.sqlite.connection import WritingConnection
from gleitzeit.store.sqlite.database import PATIENCE, SCHEMA
from gleitzeit.store.sqlite.ownership import Pulse

pytestmark = pytest.mark.anyio


def writing_connection(store: SqliteStore) -> sqlite3.Connection:
    session: Any = vars(store)["_writing"]
    connection: sqlite3.Connection = session._connection
    return connection


def damage(file: Path) -> None:
    with file.open("r+b") as raw:
        for page in range(3, file.stat().st_size // 4096):
            raw.seek(page * 4096)
            raw.write(b"\xff" * 4096)


def execute(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


async def test_what_can_not_be_written_does_not_take_the_rest_along(file: Path) -> None:
    async with opened(file) as store:
        await store.commit([new("r1")])
        outcomes: list[Any] = []

        async def write(*changes: Change) -> None:
            outcomes.extend(await store.commit(changes))

        step = [EventDraft("task.completed", 1.0, "a")]
        async with anyio.create_task_group() as group:
            group.start_soon(write, new("r2"))
            group.start_soon(write, Change("r1", tasks=[TaskRow("a", "completed", 1, {"x": {1, 2}})], events=step))
            group.start_soon(write, Change("r1", tasks=[TaskRow("b", "completed", 2**70)], events=step))
            group.start_soon(write, new("r3\ud83d"), new("r4"))
            group.start_soon(write, Change("r1", tasks=[TaskRow("c", "completed")], events=step))
        failed = [str(outcome) for outcome in outcomes if isinstance(outcome, GleitzeitError)]
        assert len(failed) == 3
        assert all("can't be recorded" in message for message in failed)
        assert sorted(outcome for outcome in outcomes if isinstance(outcome, int)) == [1, 1, 2]
        assert await ids(store) == ["r1", "r2", "r4"]
        assert [event.seq for event in await store.events("r1")] == [1, 2]


async def test_a_full_disk_is_told_and_mended_by_room(file: Path) -> None:
    async with opened(file) as store:
        await store.commit([new("r1")])
        writing_connection(store).execute("pragma max_page_count = 60")
        big = [TaskRow("a", "completed", 1, os.urandom(150_000).hex())]
        for _ in range(2):
            with pytest.raises(StoreError, match="disk is full") as caught:
                await store.commit([new("r2", tasks=big), Change("r1", tasks=[TaskRow("b", "running")])])
            assert caught.value.retryable
        assert await ids(store) == ["r1"]
        writing_connection(store).execute("pragma max_page_count = 100000")
        assert list(await store.commit([new("r2", tasks=big)])) == [1]
        snapshot = await store.load("r1")
        assert snapshot is not None
        assert dict(snapshot.tasks) == {}


LIMITED = """
import resource, signal, sys, anyio
from gleitzeit.core.errors import StoreError
from gleitzeit.core.models import Workflow
from gleitzeit.store.base import Change, Owner, RunRow
from gleitzeit.store.sqlite import SqliteStore

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
WORKFLOW = Workflow.model_validate({"tasks": [{"id": "a", "method": "m"}]})

async def main():
    store = SqliteStore(sys.argv[1])
    await store.open(Owner("one"))
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, resource.RLIM_INFINITY))
    kept = failed = 0
    for number in range(2_000):
        row = RunRow(f"r{number}", "local", WORKFLOW, {"x": "y" * 5_000}, "running", 1.0)
        try:
            await store.commit([Change(row.id, run=row, new=True)])
            kept += 1
        except StoreError as error:
            failed += 1
            if failed == 3:
                print(error)
                resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            if failed > 3:
                raise
    print(kept, failed, sum(1 for _ in (await store.runs(limit=5_000)).runs))
    await store.close()

anyio.run(main)
"""


async def test_a_file_that_can_not_grow_is_told_and_goes_on_once_it_can(file: Path) -> None:
    told = await anyio.run_process([sys.executable, "-c", LIMITED, str(file)], stderr=None)
    message, counts = told.stdout.decode().splitlines()
    assert "disk" in message
    assert counts == "1997 3 1997"
    async with opened(file) as store:
        assert len(await ids(store)) == 1997


async def test_another_program_that_keeps_it_locked_is_told_and_waited_for(file: Path) -> None:
    async with opened(file, patience=0.05) as store:
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("begin immediate")
            with pytest.raises(StoreError, match="locked") as caught:
                await store.commit([new("r1")])
            assert caught.value.retryable
            assert await ids(store) == []
            other.execute("rollback")
        assert list(await store.commit([new("r1")])) == [1]


async def test_a_lock_that_is_released_in_time_is_not_noticed(file: Path) -> None:
    async with opened(file) as store, anyio.create_task_group() as group:
        with closing(sqlite3.connect(file, isolation_level=None, check_same_thread=False)) as other:
            other.execute("begin immediate")
            outcomes: list[Any] = []

            async def write() -> None:
                outcomes.extend(await store.commit([new("r1")]))

            group.start_soon(write)
            await anyio.wait_all_tasks_blocked()
            assert outcomes == []
            other.execute("rollback")
            with anyio.fail_after(5):
                while not outcomes:
                    await anyio.lowlevel.checkpoint()


async def test_a_damaged_file_is_told_and_not_tried_again(file: Path) -> None:
    async with opened(file) as store:
        await store.commit([new(f"r{number}") for number in range(200)])
    damage(file)

    async def use() -> None:
        async with opened(file) as store:
            await store.load("r5")

    with pytest.raises(StoreError, match="damaged") as caught:
        await use()
    assert not caught.value.retryable


async def test_a_store_that_waits_for_nothing_any_more_is_closed_on_a_full_disk(file: Path) -> None:
    store = SqliteStore(file)
    await store.open(Owner("one"))
    await store.commit([new("r1")])
    writing_connection(store).execute("pragma query_only = on")
    await store.close()
    async with opened(file) as again:
        assert await ids(again) == ["r1"]


async def test_whoever_stops_waiting_does_not_undo_what_is_written(file: Path) -> None:
    async with opened(file) as store:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await store.commit([new("r1")])
        await store.commit([new("r2")])
        assert await ids(store) == ["r1", "r2"]


async def test_a_sign_of_life_is_given_while_the_loop_is_held_up(file: Path) -> None:
    class Clock:
        now = 100.0

        def __call__(self) -> float:
            return self.now

    clock = Clock()
    async with opened(file, uptime=clock) as store:
        before = store.secured
        clock.now += 6.0
        with closing(sqlite3.connect(file)) as other:
            beat = 100.0
            for _ in range(10_000_000):
                (beat,) = other.execute("select beat from owner").fetchone()
                if beat != 100.0:
                    break
        assert beat == 106.0
        await anyio.lowlevel.checkpoint()
        assert store.secured > before


def test_a_sign_of_life_that_comes_too_late_is_counted(file: Path) -> None:
    times = [100.0]
    pulse = Pulse(lambda: times[-1], LEASE, HEARTBEAT)
    writing = WritingConnection(file, "full", Owner("one"), pulse, SCHEMA, PATIENCE)
    writing.open()
    for seconds, lapses in ((HEARTBEAT, 0), (LEASE, 1), (HEARTBEAT, 1)):
        times.append(times[-1] + seconds)
        writing.beat()
        assert writing.lapses == lapses
        assert times[-1] < writing.secured < times[-1] + LEASE
    writing.close()
