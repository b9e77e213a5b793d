"""A database of an older version keeps all that is in it, and becomes what a new one is."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.store.databases import WORKFLOW, ids, new, opened

from gleitzeit.core.adapting import to_json
from gleitzeit.core.errors import StoreError
from gleitzeit.core.models import Failure
from gleitzeit.store.owners import this_process
from gleitzeit.store.sqlite.database import APPLICATION, SCHEMA, open_database, statements
from gleitzeit.store.sqlite.packing import pack

pytestmark = pytest.mark.anyio

VERSION_1 = (Path(__file__).parent / "version_1.sql").read_text(encoding="utf-8")
FAILURE = Failure("provider_error", "no")
OUTPUTS = {"text": "x" * 300_000}

RUNS: list[tuple[int, str, str, int, Any, Failure | None]] = [
    (1, "done", "completed", 1, OUTPUTS, None),
    (2, "bad", "failed", 1, None, FAILURE),
    (3, "open", "running", 0, None, None),
]
FORGOTTEN = 7
"""The highest number that a run of the old database ever had."""


def write(connection: sqlite3.Connection) -> None:
    """Three runs, and traces of some that were forgotten."""
    for n, name, state, over, outputs, failure in RUNS:
        connection.execute(
            "insert into run (n, id, seq, epoch, owner, state, over, caller, name, created_at, finished_at,"
            " boot, uptime) values (?, ?, 1, 3, null, ?, ?, 'local', 'w', ?, ?, 'b', 0)",
            (n, name, state, over, float(n), 9.0 if over else None),
        )
        connection.execute(
            "insert into document values (?, ?, ?, ?)", (n, to_json(WORKFLOW), pack({"n": n}), json.dumps(["/tmp"]))
        )
        connection.execute("insert into event values (?, 1, 'run.submitted', 1, null, null)", (n,))
        if over:
            connection.execute(
                "insert into ending values (?, ?, ?)",
                (n, pack(outputs), None if failure is None else json.dumps(failure.to_dict())),
            )
    connection.execute("update sqlite_sequence set seq = ? where name = 'run'", (FORGOTTEN,))
    connection.execute("insert into garbage values (?)", (FORGOTTEN - 1,))
    connection.execute("insert into task (run, key, state, attempts) values (?, 'a', 'completed', 1)", (FORGOTTEN - 1,))


@pytest.fixture
def old(tmp_path: Path) -> Path:
    file = tmp_path / "gleitzeit.db"
    with closing(sqlite3.connect(file, isolation_level=None)) as connection:
        connection.execute("pragma journal_mode = wal")
        for statement in statements(VERSION_1):
            connection.execute(statement)
        connection.execute(f"pragma application_id = {APPLICATION}")
        connection.execute("pragma user_version = 1")
        write(connection)
    return file


async def test_all_runs_are_there_with_what_they_were_given_and_what_they_ended_with(old: Path) -> None:
    async with opened(old) as store:
        assert await ids(store) == ["bad", "done", "open"]
        for n, name, state, _, outputs, failure in RUNS:
            snapshot = await store.load(name)
            assert snapshot is not None
            run = snapshot.run
            assert (run.state, run.epoch, run.inputs, run.roots) == (state, 3, {"n": n}, ("/tmp",))
            assert (run.outputs, run.failure) == (outputs or {}, failure)
            assert len(await store.events(name)) == 1
        heads = {head.id: head for head in (await store.runs()).runs}
        assert heads["bad"].failure == FAILURE


async def test_no_number_is_given_again(old: Path) -> None:
    async with opened(old) as store:
        await store.commit([new("next")])
        await store.prune(now=100.0)  # what was left of a run that is gone takes nothing of another one along
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute("select n from run where id = 'next'").fetchone() == (FORGOTTEN + 1,)
        assert connection.execute("select count(*) from task").fetchone() == (0,)


async def test_it_becomes_what_a_new_one_is(old: Path, tmp_path: Path) -> None:
    async with opened(old):
        pass
    with (
        closing(sqlite3.connect(old)) as brought,
        closing(open_database(tmp_path / "new.db", "full")) as made,
    ):
        assert shape(brought) == shape(made)
        assert brought.execute("pragma user_version").fetchone() == (SCHEMA.version,)
        assert brought.execute("pragma integrity_check").fetchall() == [("ok",)]


async def test_it_waits_until_nobody_of_the_older_version_uses_it(old: Path) -> None:
    here = this_process()
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute(
            "insert into owner values ('old', ?, ?, ?, ?)", (here.boot, here.pid, here.process, time.monotonic())
        )
        with pytest.raises(StoreError, match="older version of Gleitzeit") as caught:
            async with opened(old):
                pass
        assert caught.value.retryable
        assert connection.execute("pragma user_version").fetchone() == (1,)
        connection.execute("delete from owner")
    async with opened(old) as store:
        assert await ids(store) == ["bad", "done", "open"]


def shape(connection: sqlite3.Connection) -> dict[str, Any]:
    """The columns of all tables, and what is indexed of them, in words that say nothing of how they came to be."""
    found: Iterable[tuple[str, str, str]] = connection.execute(
        "select type, name, coalesce(sql, '') from sqlite_schema where name not like 'sqlite_%'"
    )
    return {
        name: connection.execute(f"pragma table_xinfo({name})").fetchall() if kind == "table" else sql
        for kind, name, sql in found
    }
