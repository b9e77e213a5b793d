"""A database that is reached by a link, and one that is open to others."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from gleitzeit.core.models import Workflow
from gleitzeit.store.base import Change, Owner, RunRow
from gleitzeit.store.sqlite import SqliteStore

pytestmark = pytest.mark.anyio

WORKFLOW = Workflow.model_validate({"tasks": [{"id": "a", "method": "test/do"}]})


def new(run_id: str) -> Change:
    return Change(run_id, run=RunRow(run_id, "local", WORKFLOW, {}, "running", created_at=1.0), new=True)


async def test_a_link_and_the_file_it_leads_to_are_one_database(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "real" / "gleitzeit.db")
    one, two = SqliteStore(link), SqliteStore(tmp_path / "real" / "gleitzeit.db")
    await one.open(Owner("one"))
    await two.open(Owner("two"))
    await one.commit([new("r1")])
    await two.commit([new("r2")])
    for store in (one, two):
        assert await store.load("r1") is not None
        assert await store.load("r2") is not None
    assert (await two.claim("r1")) is None
    await one.close()
    await two.close()
    assert link.is_symlink()
    assert not link.with_name("link.db-wal").exists()


async def test_a_file_that_others_may_read_is_told_of(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "gleitzeit.db"
    for mode, warned in ((None, False), (0o666, True)):
        if mode is not None:
            path.chmod(mode)
        with caplog.at_level(logging.WARNING):
            store = SqliteStore(path)
            await store.open(Owner("one"))
            await store.close()
        assert ("chmod 600" in caplog.text) == warned
