"""Forgets runs that are over, a little at a time: other writers get their turn in between."""

from __future__ import annotations

import sqlite3

from gleitzeit.store.sqlite.queries import QUERIES

FAMILIES = 200
"""Runs, each with its descendants, that one transaction makes disappear."""

ROWS = 4_000
"""Tasks and as many events that one transaction deletes."""

_FORGET = tuple(QUERIES[name] for name in ("forget_run", "forget_content", "forget_cache"))


def forget(connection: sqlite3.Connection, before: float | None, keep: int | None) -> int:
    """Make some of the runs disappear that are too old or too many; how many of them had no parent."""
    found: dict[int, str] = {}
    if before is not None:
        found.update(connection.execute(QUERIES["select_old"], {"before": before, "limit": FAMILIES}).fetchall())
    if keep is not None and len(found) < FAMILIES:
        found.update(connection.execute(QUERIES["select_surplus"], {"keep": keep, "limit": FAMILIES}).fetchall())
    for n, run_id in found.items():
        _forget_family(connection, n, run_id)
    return len(found)


def _forget_family(connection: sqlite3.Connection, n: int, run_id: str) -> None:
    family = [(n,), *connection.execute(QUERIES["select_descendants"], (run_id,)).fetchall()]
    connection.execute(QUERIES["retire_numbers"], max(family))
    for query in _FORGET:
        connection.executemany(query, family)
    connection.executemany(QUERIES["insert_garbage"], family)


def sweep(connection: sqlite3.Connection) -> bool:
    """Delete some of the rows that forgotten runs left; whether there may be more."""
    left = ROWS
    while left > 0:
        row = connection.execute(QUERIES["select_garbage"]).fetchone()
        if row is None:
            return False
        deleted = max(
            connection.execute(QUERIES[query], {"run": row[0], "limit": left}).rowcount
            for query in ("sweep_events", "sweep_tasks")
        )
        if deleted < left:
            connection.execute(QUERIES["delete_garbage"], row)
        left -= max(deleted, 1)
    return True


def forget_expired(connection: sqlite3.Connection, now: float) -> None:
    """Forget which results could have been used again until now."""
    connection.execute(QUERIES["delete_expired"], (now,))
