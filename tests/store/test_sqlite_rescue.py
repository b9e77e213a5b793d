"""A database whose file is deleted, moved or replaced while it is used comes back with all that was in it."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.store.databases import ids, new, opened

from gleitzeit.core.errors import StoreError
from gleitzeit.store.base import Owner
from gleitzeit.store.sqlite import SqliteStore, connection, rescue
from gleitzeit.store.sqlite.connection import ATTEMPTS

pytestmark = pytest.mark.anyio


def remove(file: Path, *endings: str) -> None:
    for ending in endings:
        Path(f"{file}{ending}").unlink()


def put(source: Path, file: Path, *endings: str) -> None:
    for ending in endings:
        Path(f"{source}{ending}").replace(f"{file}{ending}")


@pytest.mark.parametrize("leave", [(), ("-wal", "-shm"), ("-wal",), ("",), ("", "-shm"), ("", "-wal")])
async def test_a_file_that_is_deleted_is_brought_back_with_all_that_was_in_it(
    file: Path, leave: tuple[str, ...], caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(file) as store:
        await store.commit([new("r1")])
        remove(file, *{"", "-wal", "-shm"} - set(leave))
        with caplog.at_level(logging.ERROR):
            assert list(await store.commit([new("r2")])) == [1]
        assert "or its log was gone from its place" in caplog.text
        assert ("the log of the database" in caplog.text) == ("" in leave)
        assert "another file" not in caplog.text
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


async def test_a_file_that_is_deleted_again_and_again_is_told_and_comes_back_once_that_ends(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deletions = 0

    def bring_back_in_vain(*given: Any) -> None:
        nonlocal deletions
        rescue.bring_back(*given)
        remove(file, "")
        deletions += 1

    async with opened(file) as store:
        await store.commit([new("r1")])
        with monkeypatch.context() as patch:
            patch.setattr(connection, "bring_back", bring_back_in_vain)
            remove(file, "", "-wal", "-shm")
            with pytest.raises(StoreError, match="again and again") as caught:
                await store.commit([new("r2")])
        assert caught.value.retryable
        assert deletions >= ATTEMPTS
        assert list(await store.commit([new("r3")])) == [1]
        assert await ids(store) == ["r1", "r3"]
    async with opened(file) as store:
        assert await ids(store) == ["r1", "r3"]


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


async def test_a_file_that_is_replaced_is_moved_aside(
    file: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "copy.db"
    async with opened(file) as store:
        await store.commit([new("r1")])
    shutil.copy(file, copy)
    async with opened(file) as store:
        await store.commit([new("r2")])
        put(copy, file, "")
        await store.commit([new("r3")])
        assert "another file had the place" in caplog.text
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
