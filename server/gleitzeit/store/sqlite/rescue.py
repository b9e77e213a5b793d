"""Brings the database back to its path from a connection that still has it, after its file was deleted or replaced."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from gleitzeit.core.errors import StoreError
from gleitzeit.store.base import Owner
from gleitzeit.store.owners import has_lapsed, is_gone
from gleitzeit.store.sqlite.database import connect, identity_of
from gleitzeit.store.sqlite.ownership import Pulse
from gleitzeit.store.sqlite.queries import QUERIES

_LOG = logging.getLogger(__name__)

_SIDES = ("-wal", "-shm")

Place = tuple[int, int]
"""What tells a file from any other that may have its path later."""

Places = tuple[Place | None, ...]
"""Those of the database, of its log and of the log's index."""


@dataclass(frozen=True, slots=True)
class Footing:
    """Which files a connection has open, and which database they are."""

    places: Places
    identity: tuple[str, int]


def footing(path: Path, connection: sqlite3.Connection) -> Footing:
    """What the connection has opened; to be asked right after that."""
    found = connection.execute(QUERIES["select_identity"]).fetchone()
    return Footing(places_of(names(path)), found)


def names(path: Path) -> Sequence[str]:
    """The paths of the database, of its log and of the log's index."""
    return [str(_beside(path, side)) for side in ("", *_SIDES)]


def places_of(paths: Sequence[str]) -> Places:
    """Which files have these paths now."""
    return tuple([_place_of(path) for path in paths])


def _place_of(path: str) -> Place | None:
    """Which file has that path now."""
    try:
        found = os.stat(path)  # noqa: PTH116 before and after every transaction: half the cost of the path's own
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def bring_back(connection: sqlite3.Connection, path: Path, lost: Footing, here: Owner, pulse: Pulse) -> None:
    """Write what `connection` has to its path, unless another process has done so already.

    Another connection has begun a transaction, so that nobody writes to the lost file meanwhile. Whatever else is
    there by now is moved aside; where other processes work with it already, `StoreError` is raised.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = _beside(path, f".{uuid4().hex}")
    try:
        _copy(connection, copy)
        _set_log_aside(path, lost, copy)  # only now: until there is a copy, the log is part of what there is
        while not _is_back(path, lost):
            _make_way(connection, path, copy, here, pulse)
            with suppress(FileExistsError):  # somebody was faster: look at what it is
                path.hardlink_to(copy)
                _LOG.error("the database %s had been deleted or replaced; all that was in it is there again", path)
        _sync(path.parent)
    finally:
        for side in ("", *_SIDES):
            _beside(copy, side).unlink(missing_ok=True)


def _is_back(path: Path, lost: Footing) -> bool:
    if not path.exists():
        return False
    found = identity_of(path)
    return found is not None and found[0] == lost.identity[0] and found[1] > lost.identity[1]


def _set_log_aside(path: Path, lost: Footing, copy: Path) -> None:
    """Move the log of the lost file away: the next file of that name would take it for its own."""
    for side, place in zip(_SIDES, lost.places[1:], strict=True):
        if place is not None and _place_of(str(_beside(path, side))) == place:
            _beside(path, side).rename(_beside(copy, side))


def _copy(connection: sqlite3.Connection, copy: Path) -> None:
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with closing(connect(copy)) as target:
        connection.backup(target)
        target.execute(QUERIES["next_generation"])


def _make_way(connection: sqlite3.Connection, path: Path, copy: Path, here: Owner, pulse: Pulse) -> None:
    if not path.exists():
        return
    known = {row[0] for row in connection.execute(QUERIES["select_owners"])}
    if any(owner.id not in known and not is_gone(owner, here) for owner in _living(path, pulse)):
        kept = _beside(path, f".rescued-{here.id[:8]}")
        if not kept.exists():
            kept.hardlink_to(copy)
        raise StoreError(
            f"the database {path} was replaced by another one, which other processes use already",
            hint=f"stop them and move {kept} there: it has all that was recorded here",
        )
    aside = _beside(path, f".replaced-{time.time_ns()}")
    for side in ("", *_SIDES):
        with suppress(FileNotFoundError):
            _beside(path, side).rename(_beside(aside, side))
    _LOG.error("another file had the place of the database %s; it is now %s", path, aside)


def _living(path: Path, pulse: Pulse) -> list[Owner]:
    try:
        with closing(connect(path)) as connection:
            rows = connection.execute(QUERIES["select_owners"]).fetchall()
    except sqlite3.Error:
        return []
    return [Owner(*row[:4]) for row in rows if not has_lapsed(row[4], pulse.uptime(), pulse.lease)]


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(path.name + ending)


def _sync(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
