"""Which files have the paths of a database: SQLite goes on with one that was deleted or replaced, unread by anybody."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

SUFFIXES = ("-wal", "-shm")
"""What the names of a database's log, and of the log's index, end with."""

RACY = 3.0
"""Seconds within which two changes of a folder may have the same time; some file systems count in steps of 2."""

FileId = tuple[int, int]
"""What tells a file from any other that may have its path later: its device and inode."""

FileIds = tuple[FileId | None, ...]
"""Those of the database, of its log and of the log's index."""


class _Folder(NamedTuple):
    """Which folder it is, and when it was changed last."""

    device: int
    inode: int
    changed_ns: int


class PathCheck:
    """Whether files still have their paths, which is asked twice a transaction.

    A folder that is the same, and in which nothing was made, moved or deleted since they were seen in it, still has
    them: so one look tells as much as three. A change of it that is so young that the next one may have the same time
    tells nothing (git calls such entries racily clean).
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._names = _names(path)
        self._folder = str(path.parent)
        self._clock = clock
        self._seen: tuple[_Folder, FileIds] | None = None

    def holds(self, files: FileIds) -> bool:
        """Whether the database, its log and the log's index are these files."""
        folder = _folder(self._folder)
        if folder is not None and (folder, files) == self._seen:
            return True
        found = tuple(map(file_id, self._names))
        held = None not in found and found == files
        racy = folder is None or self._clock() - folder.changed_ns / 1e9 <= RACY
        self._seen = (folder, files) if held and folder is not None and not racy else None
        return held


def file_ids(path: Path) -> FileIds:
    """Which files a database, its log and the log's index are now."""
    return tuple(map(file_id, _names(path)))


def file_id(path: str) -> FileId | None:
    """Which file has that path now."""
    found = _found(path)
    return None if found is None else (found.st_dev, found.st_ino)


def beside(path: Path, suffix: str) -> Path:
    """The file whose name is that of `path` with a suffix."""
    return path.with_name(path.name + suffix)


def _names(path: Path) -> list[str]:
    return [str(beside(path, suffix)) for suffix in ("", *SUFFIXES)]


def _folder(path: str) -> _Folder | None:
    """The folder as it is now; nothing where the system does not tell when it was changed."""
    found = _found(path) if os.name == "posix" else None
    return None if found is None else _Folder(found.st_dev, found.st_ino, found.st_ctime_ns)


def _found(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)  # noqa: PTH116 before and after every transaction: half the cost of the path's own
    except FileNotFoundError:
        return None
