"""Writes changes within a transaction: fenced, numbered, and many at once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

from gleitzeit.core.errors import ConflictError, GleitzeitError
from gleitzeit.core.models import OVER
from gleitzeit.store.base import Change, Committed, RunRow
from gleitzeit.store.refusals import conflict, lost, no_run
from gleitzeit.store.sqlite.packing import to_text
from gleitzeit.store.sqlite.queries import QUERIES
from gleitzeit.store.sqlite.rows import Row, from_content, from_ending, from_run, from_task

_PUT_TASK = QUERIES["put_task"]
_INSERT_EVENT = QUERIES["insert_event"]
_ADVANCE = QUERIES["advance"]

Fence = tuple[str, int]
"""A run and the epoch that a change to it carries."""


class _Place:
    """Where the next events of a run go."""

    __slots__ = ("n", "seq")

    def __init__(self, n: int, seq: int) -> None:
        self.n = n
        self.seq = seq


class ChangeWriter:
    """The changes of one transaction, gathered into as few statements as they need."""

    def __init__(self, connection: sqlite3.Connection, owner: str) -> None:
        self._connection = connection
        self._owner = owner
        self._places: dict[Fence, _Place | GleitzeitError] = {}
        self._tasks: list[Row] = []
        self._events: list[Row] = []
        self._updates: list[Row] = []
        self._endings: list[dict[str, Any]] = []

    def write(self, changes: Sequence[Change]) -> list[Committed]:
        """Write all that are not refused. Whatever else is raised: nothing may be committed."""
        totals = _totals(changes)
        outcomes = [self._add(change, totals) for change in changes]
        connection = self._connection
        for query, rows in (
            (_PUT_TASK, self._tasks),
            (_INSERT_EVENT, self._events),
            (QUERIES["update_run"], self._updates),
            (QUERIES["put_ending"], self._endings),
        ):
            if rows:
                connection.executemany(query, rows)
        return outcomes

    def _add(self, change: Change, totals: dict[Fence, int]) -> Committed:
        fence = (change.run_id, change.epoch)
        if change.new:
            place = self._insert(change)
        else:
            known = self._places.get(fence)
            place = known if known is not None else self._advance(fence, totals[fence])
            self._places[fence] = place
        if isinstance(place, GleitzeitError):
            return place
        n = place.n
        if change.tasks:
            self._tasks += [from_task(n, task) for task in change.tasks]
        if change.events:
            self._number(change, place)
        if change.cache:
            entries = [(n, entry.key, entry.digest, entry.expires_at) for entry in change.cache]
            self._connection.executemany(QUERIES["put_cache"], entries)
        if not change.new and (change.run is not None or change.release):
            self._update(n, change)
        return place.seq

    def _number(self, change: Change, place: _Place) -> None:
        n, first = place.n, place.seq + 1
        self._events += [
            (n, seq, event.kind, event.at, event.task_id, to_text(event.data) if event.data else None)
            for seq, event in enumerate(change.events, first)
        ]
        place.seq += len(change.events)

    def _advance(self, fence: Fence, total: int) -> _Place | GleitzeitError:
        run_id, epoch = fence
        row = self._connection.execute(_ADVANCE, (total, run_id, epoch)).fetchone()
        if row is not None:
            return _Place(row[0], row[1] - total)
        found = self._connection.execute(QUERIES["find_epoch"], (run_id,)).fetchone()
        if found is None:
            return no_run(run_id)
        return lost(run_id, found[0], epoch)

    def _insert(self, change: Change) -> _Place | GleitzeitError:
        run = change.run
        if run is None:
            raise TypeError(f"the new run {change.run_id} has no row")
        owner = None if change.frees else self._owner
        cursor = self._connection.execute(QUERIES["insert_run"], from_run(run, len(change.events), owner))
        if cursor.rowcount != 1 or cursor.lastrowid is None:
            return self._conflict(run)
        n = cursor.lastrowid
        self._connection.execute(QUERIES["insert_content"], from_content(n, run))
        return _Place(n, 0)

    def _conflict(self, run: RunRow) -> ConflictError:
        wanted = (run.id, run.caller, run.idempotency_key, run.id)
        (rival,) = self._connection.execute(QUERIES["find_rival"], wanted).fetchone()
        return conflict(run, rival)

    def _update(self, n: int, change: Change) -> None:
        run = change.run
        if run is None:
            self._connection.execute(QUERIES["release_run"], (n,))
            return
        self._updates.append((run.state, run.state in OVER, run.finished_at, change.frees, n))
        self._endings.append(from_ending(n, run))
        if run.state in OVER:
            self._connection.execute(QUERIES["delete_requests"], (n,))


def _totals(changes: Iterable[Change]) -> dict[Fence, int]:
    """How many events each fence of the changes to runs that exist has to take."""
    totals: dict[Fence, int] = {}
    for change in changes:
        if not change.new:
            fence = (change.run_id, change.epoch)
            totals[fence] = totals.get(fence, 0) + len(change.events)
    return totals
