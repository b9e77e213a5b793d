"""What SQLite reports, as errors that say what to do."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path

from gleitzeit.core.errors import ConfigurationError, GleitzeitError, StoreError

_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_BUSY = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_REASONS: Mapping[int, tuple[str, str]] = {
    sqlite3.SQLITE_FULL: ("the disk is full", "make room; it goes on by itself then"),
    sqlite3.SQLITE_BUSY: (
        "another program keeps it locked",
        "close whatever else has it open; it goes on by itself then",
    ),
    sqlite3.SQLITE_LOCKED: ("it is locked", "close whatever else has it open; it goes on by itself then"),
    sqlite3.SQLITE_IOERR: (
        "the disk failed or is full",
        "look at the disk; it goes on by itself once that works again",
    ),
    sqlite3.SQLITE_READONLY: ("it can't be written", "make the file and its folder writable"),
    sqlite3.SQLITE_PERM: ("it can't be accessed", "make the file and its folder readable and writable"),
    sqlite3.SQLITE_CANTOPEN: ("it can't be opened", "see whether its folder is there and writable"),
    sqlite3.SQLITE_NOMEM: ("memory is short", "it goes on by itself once there is more"),
    sqlite3.SQLITE_PROTOCOL: ("other processes keep it locked", "try again"),
    sqlite3.SQLITE_INTERRUPT: ("it was interrupted", "try again"),
}


def code_of(error: BaseException) -> int:
    """SQLite's primary result code, 0 where the error is not SQLite's."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF if isinstance(error, sqlite3.Error) else 0


def is_busy(error: BaseException) -> bool:
    """Whether somebody else has the lock."""
    return code_of(error) in _BUSY


def is_fault(error: BaseException) -> bool:
    """Whether the database itself is in trouble, and not what was to be written."""
    code = code_of(error)
    return code in _REASONS or code in _BROKEN or isinstance(error, OSError)


def store_error(path: Path, error: BaseException) -> StoreError:
    """A fault in the words of a person who has to mend it."""
    code = code_of(error)
    if code in _BROKEN:
        return StoreError(
            f"the database {path} is damaged: {error}",
            hint="stop all processes that use it, then move it away and start anew, or bring back a copy",
            retryable=False,
        )
    reason, hint = _REASONS.get(code, (str(error), "see whether the file and its folder are as they should be"))
    return StoreError(f"the database {path} can't be used now: {reason} ({error})", hint=hint)


def opening_error(path: Path, error: BaseException) -> GleitzeitError:
    """The same when it is opened: what no waiting mends is an error of the configuration."""
    code = code_of(error)
    if code == sqlite3.SQLITE_NOTADB:
        return ConfigurationError(
            f"{path} is not a database", hint="set engine.database to another file, or move this one away"
        )
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_CANTOPEN) or isinstance(error, OSError):
        return ConfigurationError(
            f"the database {path} can't be written ({error})",
            hint="make the file and its folder writable, or set engine.database to another one",
        )
    return store_error(path, error)


def refusal(error: BaseException) -> GleitzeitError:
    """Why a change can't be written that is itself at fault."""
    return GleitzeitError(f"this can't be recorded: {error}", code="unrecordable")
