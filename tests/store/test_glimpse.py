"""Whether there are saved workflows is seen without opening a database, or not at all."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gleitzeit.core.models import Workflow
from gleitzeit.store.base import Owner
from gleitzeit.store.glimpse import has_no_workflows
from gleitzeit.store.sqlite import SqliteStore

pytestmark = pytest.mark.anyio


def test_it_makes_nothing(tmp_path: Path) -> None:
    assert has_no_workflows(tmp_path / "a.db")
    assert not list(tmp_path.iterdir())


async def test_it_is_certain_only_of_what_it_sees(tmp_path: Path) -> None:
    path = tmp_path / "a #?%20.db"
    store = SqliteStore(path)
    await store.open(Owner("one"))
    assert has_no_workflows(path)
    workflow = Workflow.model_validate({"name": "w", "tasks": [{"id": "a", "method": "m"}]})
    await store.save_workflow("me", workflow, 1.0, overwrite=False)
    assert not has_no_workflows(path)
    await store.delete_workflow("me", "w")
    assert has_no_workflows(path)
    await store.close()
    assert has_no_workflows(path)


def test_what_can_not_be_read_may_have_some(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database at all, however long it is")
    assert not has_no_workflows(tmp_path / "text.db")
    assert not has_no_workflows(tmp_path)
    with closing(sqlite3.connect(tmp_path / "other.db")) as connection:
        connection.execute("create table elsewhere (a)")
    assert not has_no_workflows(tmp_path / "other.db")


def test_a_database_that_somebody_has_for_themselves_is_not_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "busy.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("create table workflow (a)")
        connection.execute("begin exclusive")
        assert not has_no_workflows(path)
