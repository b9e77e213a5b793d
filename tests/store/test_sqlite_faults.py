"""What becomes of a database when its file is not what it should be, when it is opened and while it is used."""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread

from gleitzeit.core.errors import ConfigurationError, GleitzeitError, StoreError
from gleitzeit.core.models import Workflow
from gleitzeit.store.base import Change, EventDraft, Owner, RunRow, TaskRow
from gleitzeit.store.sqlite import SqliteStore
from gleitzeit.store.sqlite.database import PLAN, Plan

pytestmark = pytest.mark.anyio

WORKFLOW = Workflow.model_validate({"tasks": [{"id": "a", "method": "test/do"}]})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "home" / "gleitzeit.db"


@asynccontextmanager
async def opened(file: Path, owner: str = "one", **options: Any) -> AsyncGenerator[SqliteStore]:
    store = SqliteStore(file, **options)
    await store.open(Owner(owner))
    try:
        yield store
    finally:
        await store.close()


def new(run_id: str, **fields: Any) -> Change:
    row = RunRow(run_id, "local", WORKFLOW, {}, "running", 100.0)
    return Change(run_id, run=row, new=True, events=[EventDraft("run.submitted", 100.0)], **fields)


async def ids(store: SqliteStore) -> list[str]:
    return sorted(head.id for head in (await store.runs(limit=10_000)).runs)


async def refused(file: Path, kind: type[GleitzeitError], **options: Any) -> str:
    store = SqliteStore(file, **options)
    with pytest.raises(kind) as caught:
        await store.open(Owner("one"))
    assert caught.value.hint
    return str(caught.value)


def writing_connection(store: SqliteStore) -> sqlite3.Connection:
    session: Any = vars(store)["_session"]
    connection: sqlite3.Connection = session._connection
    return connection


def remove(file: Path, *endings: str) -> None:
    for ending in endings:
        Path(f"{file}{ending}").unlink()


def put(source: Path, file: Path, *endings: str) -> None:
    for ending in endings:
        Path(f"{source}{ending}").replace(f"{file}{ending}")


def put_text(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)


def make_folder(path: Path) -> None:
    path.mkdir(parents=True)


def content(file: Path) -> bytes:
    return file.read_bytes()


def damage(file: Path) -> None:
    with file.open("r+b") as raw:
        for page in range(3, file.stat().st_size // 4096):
            raw.seek(page * 4096)
            raw.write(b"\xff" * 4096)


def start_together(script: str, file: Path) -> list[int]:
    starts = [
        subprocess.Popen([sys.executable, "-c", script, str(file), str(number)], stdin=subprocess.PIPE)
        for number in range(4)
    ]
    for process in starts:
        assert process.stdin is not None
        process.stdin.close()
    return [process.wait() for process in starts]


def execute(file: Path, *statements: str) -> None:
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


# Opening


async def test_what_is_kept_is_there_when_the_file_is_opened_again(file: Path) -> None:
    async with opened(file) as store:
        assert list(await store.commit([new("r1", tasks=[TaskRow("a", "running")])])) == [1]
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name]
    async with opened(file) as store:
        snapshot = await store.load("r1")
        assert snapshot is not None
        assert (list(snapshot.tasks), snapshot.owner) == (["a"], None)


async def test_only_its_owner_may_read_the_file(file: Path) -> None:
    async with opened(file) as store:
        await store.commit([new("r1")])
        modes = {stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


async def test_an_empty_file_becomes_a_database(file: Path) -> None:
    put_text(file, "")
    async with opened(file) as store:
        assert await ids(store) == []


async def test_a_file_that_is_not_a_database_is_left_alone(file: Path) -> None:
    put_text(file, "my shopping list: " + "apples " * 1_000)
    assert "not a database" in await refused(file, ConfigurationError)
    assert content(file).startswith(b"my shopping list")


async def test_the_database_of_another_program_is_left_alone(file: Path) -> None:
    file.parent.mkdir()
    execute(file, "create table pictures (x)")
    before = content(file)
    assert "another program" in await refused(file, ConfigurationError)
    assert content(file) == before


async def test_a_folder_is_no_database(file: Path) -> None:
    make_folder(file)
    assert "folder" in await refused(file, ConfigurationError)


async def test_a_file_where_a_folder_should_be_is_told(file: Path) -> None:
    file.parent.touch()
    assert str(file) in await refused(file, ConfigurationError)


async def test_a_database_from_a_newer_version_is_left_alone(file: Path) -> None:
    async with opened(file):
        pass
    execute(file, f"pragma user_version = {PLAN.version + 1}")
    assert "newer version" in await refused(file, ConfigurationError)


async def test_an_older_database_is_brought_forward_step_by_step(file: Path) -> None:
    async with opened(file) as store:
        await store.commit([new("r1")])
    newer = Plan(
        PLAN.schema,
        {
            **PLAN.migrations,
            PLAN.version + 1: "create table note (x text); insert into note values ('a;b');",
            PLAN.version + 2: "alter table note add column y; update note set y = x;",
        },
    )
    async with opened(file, plan=newer) as store:
        assert await ids(store) == ["r1"]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("select x, y from note").fetchall() == [("a;b", "a;b")]
        assert connection.execute("pragma user_version").fetchone() == (newer.version,)


async def test_a_step_forward_that_fails_leaves_the_database_as_it_was(file: Path) -> None:
    async with opened(file):
        pass
    broken = Plan(PLAN.schema, {PLAN.version + 1: "create table note (x); insert into nowhere values (1);"})
    await refused(file, GleitzeitError, plan=broken)
    async with opened(file) as store:
        assert list(await store.commit([new("r1")])) == [1]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("select count(*) from sqlite_schema where name = 'note'").fetchone() == (0,)


async def test_several_processes_may_create_it_at_once(file: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, anyio
        from gleitzeit.store.base import Owner
        from gleitzeit.store.sqlite import SqliteStore

        async def main():
            sys.stdin.read(1)
            store = SqliteStore(sys.argv[1])
            await store.open(Owner(sys.argv[2]))
            await store.close()

        anyio.run(main)
        """
    )
    assert await to_thread.run_sync(start_together, script, file) == [0] * 4
    async with opened(file) as store:
        assert await ids(store) == []


async def test_a_file_that_may_not_be_written_is_told(file: Path, tmp_path: Path) -> None:
    async with opened(file):
        pass
    script = textwrap.dedent(
        """
        import os, sys, anyio
        from gleitzeit.core.errors import ConfigurationError
        from gleitzeit.store.base import Owner
        from gleitzeit.store.sqlite import SqliteStore

        async def main():
            if os.geteuid() == 0:
                os.setuid(65534)
            try:
                await SqliteStore(sys.argv[1]).open(Owner("one"))
            except ConfigurationError as error:
                print(error)

        anyio.run(main)
        """
    )
    for folder in [file.parent, *file.parent.parents]:
        if folder.stat().st_uid == os.geteuid() and folder.is_relative_to(tmp_path.parents[1]):
            folder.chmod(0o755)
    for target, mode in ((file, 0o444), (file.parent, 0o555)):
        target.chmod(mode)
        told = await anyio.run_process([sys.executable, "-c", script, str(file)], stderr=None)
        assert "can't be written" in told.stdout.decode()


# While it is used


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


@pytest.mark.parametrize("leave", [(), ("-wal", "-shm"), ("-wal",), ("",), ("", "-shm"), ("", "-wal")])
async def test_a_file_that_is_deleted_is_brought_back_with_all_that_was_in_it(
    file: Path, leave: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(file) as store:
        await store.commit([new("r1")])
        remove(file, *{"", "-wal", "-shm"} - set(leave))
        with caplog.at_level(logging.ERROR):
            assert list(await store.commit([new("r2")])) == [1]
        assert "deleted" in caplog.text
        assert await ids(store) == ["r1", "r2"]
        assert list(await store.commit([new("r3")])) == [1]
        async with opened(file, "two") as other:
            assert await ids(other) == ["r1", "r2", "r3"]
    assert not list(file.parent.glob("gleitzeit.db-*"))
    async with opened(file) as store:
        assert await ids(store) == ["r1", "r2", "r3"]


async def test_a_folder_that_is_deleted_is_brought_back_too(file: Path) -> None:
    async with opened(file) as store:
        await store.commit([new("r1")])
        shutil.rmtree(file.parent)
        await store.commit([new("r2")])
    async with opened(file) as store:
        assert await ids(store) == ["r1", "r2"]


async def test_of_two_processes_that_miss_the_file_both_go_on_with_the_same_one(file: Path) -> None:
    async with opened(file, "one") as one, opened(file, "two") as two:
        await one.commit([new("r1")])
        await two.commit([new("r2")])
        remove(file, "", "-wal", "-shm")
        async with anyio.create_task_group() as group:
            for number in range(3, 13):
                group.start_soon((one, two)[number % 2].commit, [new(f"r{number}")])
        expected = sorted(f"r{number}" for number in range(1, 13))
        assert await ids(one) == expected
        assert await ids(two) == expected
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name]


async def test_a_file_that_is_moved_away_stays_there_and_nothing_is_lost(file: Path) -> None:
    async with opened(file) as store:
        await store.commit([new("r1")])
        put(file, file.with_name("moved.db"), "")
        await store.commit([new("r2")])
        assert await ids(store) == ["r1", "r2"]
    assert file.with_name("moved.db").exists()


async def test_a_file_that_is_moved_away_and_back_is_as_if_nothing_had_been(file: Path) -> None:
    away = file.with_name("away.db")
    async with opened(file) as store:
        await store.commit([new("r1")])
        put(file, away, "")
        await store.commit([new("r2")])
        put(away, file, "")
        await store.commit([new("r3")])
        assert await ids(store) == ["r1", "r2", "r3"]
    async with opened(file) as store:
        assert await ids(store) == ["r1", "r2", "r3"]


async def test_a_file_that_is_replaced_is_moved_aside(file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.db"
    async with opened(file) as store:
        await store.commit([new("r1")])
    shutil.copy(file, copy)
    async with opened(file) as store:
        await store.commit([new("r2")])
        put(copy, file, "")
        await store.commit([new("r3")])
        assert await ids(store) == ["r1", "r2", "r3"]
    (aside,) = file.parent.glob("gleitzeit.db.replaced-*")
    async with opened(aside) as store:
        assert await ids(store) == ["r1"]
    async with opened(file) as store:
        assert await ids(store) == ["r1", "r2", "r3"]


async def test_a_database_that_others_use_already_is_not_taken_from_them(file: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere" / "gleitzeit.db"
    async with opened(elsewhere, "other") as other:
        await other.commit([new("foreign")])
        store = SqliteStore(file)
        await store.open(Owner("one"))
        await store.commit([new("r1")])
        put(elsewhere, file, "", "-wal", "-shm")
        with pytest.raises(StoreError, match="replaced") as caught:
            await store.commit([new("r2")])
        await store.close()
        assert caught.value.hint is not None
        (rescued,) = file.parent.glob("gleitzeit.db.rescued-*")
        assert str(rescued) in caught.value.hint
    async with opened(rescued, "three") as kept:
        assert await ids(kept) == ["r1"]


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
