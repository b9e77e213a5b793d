"""Which files have the paths of a database: SQLite goes on with one that was deleted or replaced, unread by anybody."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

SIDES = ("-wal", "-shm")
"""What the names of a database's log, and of the log's index, end with."""

SETTLED = 3.0
"""Seconds after which a change of a folder has another time than any before; some file systems count in steps of 2."""

Place = tuple[int, int]
"""What tells a file from any other that may have its path later."""

Places = tuple[Place | None, ...]
"""Those of the database, of its log and of the log's index."""

_Folder = tuple[int, int, int]


class Watch:
    """Whether files still have their paths, which is asked twice a transaction.

    A folder that is the same, and in which nothing was made, moved or deleted since they were seen in it, still has
    them: so one look tells as much as three.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._names = _names(path)
        self._folder = str(path.parent)
        self._clock = clock
        self._seen: tuple[_Folder, Places] | None = None

    def holds(self, places: Places) -> bool:
        """Whether the database, its log and the log's index are the files of `places`."""
        folder = _folder(self._folder)
        if folder is not None and (folder, places) == self._seen:
            return True
        found = tuple(map(place_of, self._names))
        held = None not in found and found == places
        settled = folder is not None and self._clock() - folder[2] / 1e9 > SETTLED
        self._seen = (folder, places) if folder is not None and held and settled else None
        return held


def places_of(path: Path) -> Places:
    """Which files a database, its log and the log's index are now."""
    return tuple(map(place_of, _names(path)))


def place_of(path: str) -> Place | None:
    """Which file has that path now."""
    try:
        found = os.stat(path)  # noqa: PTH116 before and after every transaction: half the cost of the path's own
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def beside(path: Path, ending: str) -> Path:
    """The file whose name is that of `path` with an ending."""
    return path.with_name(path.name + ending)


def _names(path: Path) -> list[str]:
    return [str(beside(path, side)) for side in ("", *SIDES)]


def _folder(path: str) -> _Folder | None:
    """Which folder it is, and when it was changed last; nothing where the system does not tell."""
    if os.name != "posix":
        return None
    try:
        found = os.stat(path)  # noqa: PTH116 as above
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino, found.st_ctime_ns
