"""Brings the database back to its path from a connection that still has it, after its file was deleted or replaced."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from gleitzeit.core.errors import StoreError
from gleitzeit.store.base import Owner
from gleitzeit.store.sqlite.database import connect, identity_of
from gleitzeit.store.sqlite.file_ids import SUFFIXES, FileIds, beside, file_id, file_ids
from gleitzeit.store.sqlite.ownership import Pulse, known_owners, living_owners
from gleitzeit.store.sqlite.queries import QUERIES

_LOG = logging.getLogger(__name__)

Identity = tuple[str, int]
"""Which database it is, and how often it was written anew."""


@dataclass(frozen=True, slots=True)
class Footing:
    """Which files a connection has open, and which database they are."""

    files: FileIds
    identity: Identity


def footing(path: Path, connection: sqlite3.Connection) -> Footing:
    """What the connection has opened; to be asked right after that."""
    found = connection.execute(QUERIES["select_identity"]).fetchone()
    return Footing(file_ids(path), found)


def follows(found: Identity, lost: Identity) -> bool:
    """Whether what was found has all that was lost: it is the same database, written anew after that."""
    return found[0] == lost[0] and found[1] > lost[1]


def bring_back(connection: sqlite3.Connection, path: Path, lost: Footing, here: Owner, pulse: Pulse) -> None:
    """Write what `connection` has to its path, unless another process has done so already.

    Another connection has begun a transaction, so that nobody writes to the lost file meanwhile. Whatever else is
    there by now is moved aside; where other processes work with it already, `StoreError` is raised.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    copy = beside(path, f".{uuid4().hex}")
    try:
        _copy(connection, copy)
        _set_log_aside(path, lost, copy)  # only now: until there is a copy, the log is part of what there is
        while not _is_back(path, lost):
            _make_way(connection, path, lost, copy, here, pulse)
            with suppress(FileExistsError):  # somebody was faster: look at what it is
                path.hardlink_to(copy)
                _LOG.error("the database %s or its log was gone from its place; all of it is there again", path)
        _sync(path.parent)
    finally:
        for suffix in ("", *SUFFIXES):
            beside(copy, suffix).unlink(missing_ok=True)


def _is_back(path: Path, lost: Footing) -> bool:
    if not path.exists():
        return False
    found = identity_of(path)
    return found is not None and follows(found, lost.identity)


def _set_log_aside(path: Path, lost: Footing, copy: Path) -> None:
    """Move the log of the lost file away: the next file of that name would take it for its own."""
    for suffix, file in zip(SUFFIXES, lost.files[1:], strict=True):
        if file is not None and file_id(str(beside(path, suffix))) == file:
            beside(path, suffix).rename(beside(copy, suffix))


def _copy(connection: sqlite3.Connection, copy: Path) -> None:
    os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
    with closing(connect(copy)) as target:
        connection.backup(target)
        target.execute(QUERIES["next_generation"])


def _make_way(connection: sqlite3.Connection, path: Path, lost: Footing, copy: Path, here: Owner, pulse: Pulse) -> None:
    file = file_id(str(path))
    if file is None:
        return
    if _living(path, here, pulse) - known_owners(connection) - {here.id}:
        kept = beside(path, f".rescued-{here.id[:8]}")
        if not kept.exists():
            kept.hardlink_to(copy)
        raise StoreError(
            f"the database {path} was replaced by another one, which other processes use already",
            hint=f"stop them and move {kept} there: it has all that was recorded here",
        )
    aside = beside(path, f".replaced-{time.time_ns()}")
    for suffix in ("", *SUFFIXES):
        with suppress(FileNotFoundError):
            beside(path, suffix).rename(beside(aside, suffix))
    if file == lost.files[0]:
        _LOG.error("the log of the database %s or its index was gone; the file as it is without is now %s", path, aside)
    else:
        _LOG.error("another file had the place of the database %s; it is now %s", path, aside)


def _living(path: Path, here: Owner, pulse: Pulse) -> frozenset[str]:
    """The processes that work with the file that has the path."""
    try:
        with closing(connect(path)) as connection:
            return living_owners(connection, here, pulse)
    except sqlite3.Error:
        return frozenset()


def _sync(folder: Path) -> None:
    if os.name == "posix":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
