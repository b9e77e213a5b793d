"""How a database is opened, created, brought to this version, or left alone where it is something else."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio import to_thread
from tests.store.databases import ids, new, opened

from gleitzeit.core.errors import ConfigurationError, GleitzeitError
from gleitzeit.store.base import Owner, TaskRow
from gleitzeit.store.sqlite import SqliteStore
from gleitzeit.store.sqlite.database import SCHEMA, Schema

pytestmark = pytest.mark.anyio


async def refused(file: Path, kind: type[GleitzeitError], **options: Any) -> str:
    store = SqliteStore(file, **options)
    with pytest.raises(kind) as caught:
        await store.open(Owner("one"))
    assert caught.value.hint
    return str(caught.value)


def put_text(file: Path, text: str) -> None:
    file.parent.mkdir()
    file.write_text(text)


def make_folder(path: Path) -> None:
    path.mkdir(parents=True)


def content(file: Path) -> bytes:
    return file.read_bytes()


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
    execute(file, f"pragma user_version = {SCHEMA.version + 1}")
    assert "newer version" in await refused(file, ConfigurationError)


async def test_an_older_database_is_brought_forward_step_by_step(file: Path) -> None:
    async with opened(file) as store:
        await store.commit([new("r1")])
    newer = Schema(
        SCHEMA.script,
        {
            **SCHEMA.migrations,
            SCHEMA.version + 1: "create table note (x text); insert into note values ('a;b');",
            SCHEMA.version + 2: "alter table note add column y; update note set y = x;",
        },
    )
    async with opened(file, schema=newer) as store:
        assert await ids(store) == ["r1"]
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("select x, y from note").fetchall() == [("a;b", "a;b")]
        assert connection.execute("pragma user_version").fetchone() == (newer.version,)


async def test_a_step_forward_that_fails_leaves_the_database_as_it_was(file: Path) -> None:
    async with opened(file):
        pass
    broken = Schema(SCHEMA.script, {SCHEMA.version + 1: "create table note (x); insert into nowhere values (1);"})
    await refused(file, GleitzeitError, schema=broken)
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
