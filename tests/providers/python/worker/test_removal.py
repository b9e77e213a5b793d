"""A folder is removed, whatever was done to make it last."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from gleitzeit_python.worker.removal import remove

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="folders of this kind are Linux's")


def test_a_folder_deeper_than_any_path_is_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    descriptor = os.open(top, os.O_RDONLY)
    for _ in range(3000):
        os.mkdir("a folder", dir_fd=descriptor)
        following = os.open("a folder", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = following
    os.close(descriptor)
    remove(str(top))
    assert not top.exists()


def test_folders_that_nobody_may_enter_are_removed(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "a" / "b").mkdir(parents=True)
    (top / "a" / "b" / "file").write_text("x", encoding="utf-8")
    (top / "a" / "b").chmod(0)
    (top / "a").chmod(0)
    remove(str(top))
    assert not top.exists()


def test_links_are_removed_and_not_followed(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "file").write_text("x", encoding="utf-8")
    top = tmp_path / "top"
    (top / "a").mkdir(parents=True)
    for link in (top / "link", top / "a" / "link"):
        link.symlink_to(kept)
    remove(str(top))
    assert not top.exists()
    assert (kept / "file").exists()
    (tmp_path / "itself").symlink_to(kept)
    remove(str(tmp_path / "itself"))
    assert (kept / "file").exists()


def test_what_is_not_there_is_no_error(tmp_path: Path) -> None:
    remove(str(tmp_path / "missing"))
