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
from gleitzeit.store.sqlite.faults import is_fault, refusal
from gleitzeit.store.sqlite.session import Session

Work = Callable[[sqlite3.Connection], Any]


@dataclass(slots=True, eq=False)
class Job:
    """Something to be written, and who waits for it. Nothing is written after the `last`."""

    future: asyncio.Future[Any]
    changes: Sequence[Change] = ()
    work: Work | None = None
    last: bool = False


Told = tuple[asyncio.Future[Any], Any, BaseException | None]
"""Who is told, and what: a value, or an error."""


def write(session: Session, jobs: Sequence[Job]) -> list[Told]:
    """Write all jobs, and say what became of each."""
    if not jobs:
        return []
    try:
        return _together(session, jobs)
    except Exception as error:  # noqa: BLE001 everybody who waits is told
        if is_fault(error) or isinstance(error, GleitzeitError):
            return _failed(session, jobs, error)
    try:
        return _each(session, jobs)
    except Exception as error:  # noqa: BLE001 the same
        return _failed(session, jobs, error)


def _together(session: Session, jobs: Sequence[Job]) -> list[Told]:
    """All changes at once, then the rest."""
    changes = [change for job in jobs for change in job.changes]
    with session.transaction() as connection:
        outcomes = iter(session.write(changes) if changes else ())
        return [
            (job.future, [next(outcomes) for _ in job.changes], None) if job.work is None else _done(job, connection)
            for job in jobs
        ]


def _done(job: Job, connection: sqlite3.Connection) -> Told:
    assert job.work is not None
    try:
        return job.future, job.work(connection), None
    except GleitzeitError as error:
        return job.future, None, error


def _each(session: Session, jobs: Sequence[Job]) -> list[Told]:
    """Each by itself, to find out which can't be written."""
    with session.transaction() as connection:
        return [_alone(session, connection, job) for job in jobs]


def _alone(session: Session, connection: sqlite3.Connection, job: Job) -> Told:
    if job.work is None:
        written = [_guarded(connection, partial(session.write, [change])) for change in job.changes]
        return job.future, [one[0] if isinstance(one, list) else one for one in written], None
    outcome = _guarded(connection, partial(job.work, connection))
    failed = isinstance(outcome, GleitzeitError)
    return job.future, None if failed else outcome, outcome if failed else None


def _guarded(connection: sqlite3.Connection, writing: Callable[[], Any]) -> Any:
    """What `writing` gives, or an error where it can't be done; then nothing of it is written."""
    connection.execute("savepoint one")
    try:
        outcome = writing()
    except Exception as error:
        if is_fault(error):
            raise
        connection.execute("rollback to one")
        outcome = error if isinstance(error, GleitzeitError) else refusal(error)
    connection.execute("release one")
    return outcome


def _failed(session: Session, jobs: Sequence[Job], error: Exception) -> list[Told]:
    reported = session.complain(error)
    return [(job.future, None, reported) for job in jobs]
