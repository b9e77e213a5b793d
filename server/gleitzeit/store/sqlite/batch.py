"""One transaction for all that waits, without letting what can't be written take the rest along."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.store.base import Change
from gleitzeit.store.sqlite.connection import WritingConnection
from gleitzeit.store.sqlite.faults import is_fault, refusal

Statement = Callable[[sqlite3.Connection], Any]
"""What is done within a transaction, and gives something."""


@dataclass(slots=True, eq=False)
class Write:
    """Something to be written, and who waits for it. Nothing is written after the `last`."""

    future: asyncio.Future[Any]
    changes: Sequence[Change] = ()
    statement: Statement | None = None
    last: bool = False


Told = tuple[asyncio.Future[Any], Any, BaseException | None]
"""Who is told, and what: a value, or an error."""


def write_all(writing: WritingConnection, batch: Sequence[Write]) -> list[Told]:
    """Write the whole batch, and say what became of each."""
    if not batch:
        return []
    try:
        return _together(writing, batch)
    except Exception as error:  # noqa: BLE001 everybody who waits is told
        if is_fault(error) or isinstance(error, GleitzeitError):
            return _failed(writing, batch, error)
    try:
        return _each(writing, batch)
    except Exception as error:  # noqa: BLE001 the same
        return _failed(writing, batch, error)


def _together(writing: WritingConnection, batch: Sequence[Write]) -> list[Told]:
    """All changes at once, then the rest."""
    changes = [change for write in batch for change in write.changes]
    with writing.transaction() as connection:
        outcomes = iter(writing.write(changes) if changes else ())
        return [
            _done(write, connection)
            if write.statement is not None
            else (write.future, [next(outcomes) for _ in write.changes], None)
            for write in batch
        ]


def _done(write: Write, connection: sqlite3.Connection) -> Told:
    assert write.statement is not None
    try:
        return write.future, write.statement(connection), None
    except GleitzeitError as error:
        return write.future, None, error


def _each(writing: WritingConnection, batch: Sequence[Write]) -> list[Told]:
    """Each by itself, to find out which can't be written."""
    with writing.transaction() as connection:
        return [_alone(writing, connection, write) for write in batch]


def _alone(writing: WritingConnection, connection: sqlite3.Connection, write: Write) -> Told:
    if write.statement is None:
        written = [_guarded(connection, partial(writing.write, [change])) for change in write.changes]
        return write.future, [one[0] if isinstance(one, list) else one for one in written], None
    outcome = _guarded(connection, partial(write.statement, connection))
    failed = isinstance(outcome, GleitzeitError)
    return write.future, None if failed else outcome, outcome if failed else None


def _guarded(connection: sqlite3.Connection, act: Callable[[], Any]) -> Any:
    """What `act` gives, or an error where it can't be done; then nothing of it is written."""
    connection.execute("savepoint one")
    try:
        outcome = act()
    except Exception as error:
        if is_fault(error):
            raise
        connection.execute("rollback to one")
        outcome = error if isinstance(error, GleitzeitError) else refusal(error)
    connection.execute("release one")
    return outcome


def _failed(writing: WritingConnection, batch: Sequence[Write], error: Exception) -> list[Told]:
    reported = writing.complain(error)
    return [(write.future, None, reported) for write in batch]
