"""Whether a database's files still have their paths: looked up only where something in the folder may have changed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from gleitzeit.store.sqlite import file_ids
from gleitzeit.store.sqlite.file_ids import RACY, FileId, FileIds, PathCheck, beside

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere every file is looked up")


class Folder:
    """A database's files, and how often one was looked up."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.file = path / "runs.db"
        self.ahead = 0.0
        for suffix in ("", "-wal", "-shm"):
            beside(self.file, suffix).touch()
        self.files: FileIds = file_ids.file_ids(self.file)
        self.check = PathCheck(self.file, lambda: time.time() + self.ahead)
        self.looks = 0
        look = file_ids.file_id

        def counted(name: str) -> FileId | None:
            self.looks += 1
            return look(name)

        monkeypatch.setattr(file_ids, "file_id", counted)

    def holds(self) -> bool:
        return self.check.holds(self.files)

    def settle(self) -> None:
        """Let time pass, for its own clock and, a little, for that of the file system."""
        self.ahead = 2 * RACY
        assert self.holds()
        other = self.file.parent.with_name("other")
        other.touch()
        while other.stat().st_ctime_ns <= self.file.parent.stat().st_ctime_ns:
            other.touch()
        self.looks = 0


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    path = tmp_path / "home"
    path.mkdir()
    return Folder(path, monkeypatch)


def test_a_folder_that_was_changed_just_now_is_looked_through_every_time(folder: Folder) -> None:
    for _ in range(3):
        assert folder.holds()
    assert folder.looks == 9


def test_a_folder_in_which_nothing_has_changed_for_a_while_is_looked_at_once(folder: Folder) -> None:
    folder.settle()
    for _ in range(3):
        folder.file.write_text("x")
        assert folder.holds()
    assert folder.looks == 0


@pytest.mark.parametrize("suffix", ["", "-wal", "-shm"])
def test_a_file_that_is_gone_or_another_is_noticed(folder: Folder, suffix: str) -> None:
    folder.settle()
    file = beside(folder.file, suffix)
    file.rename(beside(folder.file, ".kept"))
    assert not folder.holds()
    file.touch()
    assert not folder.holds()
    beside(folder.file, ".kept").rename(file)
    assert folder.holds()


def test_another_folder_in_its_place_is_noticed(folder: Folder) -> None:
    folder.settle()
    home = folder.file.parent
    home.rename(home.with_name("away"))
    assert not folder.holds()
    home.mkdir()
    assert not folder.holds()


def test_other_files_in_the_folder_cost_no_more_than_a_look(folder: Folder) -> None:
    folder.settle()
    (folder.file.parent / "log").touch()
    assert folder.holds()
    assert folder.looks == 3


def test_where_the_clock_was_set_back_nothing_is_trusted(folder: Folder) -> None:
    folder.ahead = -3600.0
    for _ in range(2):
        assert folder.holds()
    assert folder.looks == 6


def test_other_files_are_looked_for_anew(folder: Folder) -> None:
    folder.settle()
    assert not folder.check.holds((None, *folder.files[1:]))
    assert folder.holds()
