"""Processes brought to a standstill: with the lock of the database in their hands, or without."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import anyio
from tests.chaos.processes import Server

LONGEST_TRANSACTION = 1.0


async def stop_between_transactions(server: Server, database: Path) -> None:
    """Stop a process at an instant at which others can write."""
    await _stop(server, database, locked=False)


async def stop_inside_transaction(server: Server, database: Path) -> None:
    """Stop a process at an instant at which nobody else can write until it goes on."""
    await _stop(server, database, locked=True)


async def _stop(server: Server, database: Path, *, locked: bool) -> None:
    with anyio.fail_after(30):
        while True:
            await server.stop()
            if is_locked(database) == locked:
                return
            server.go_on()
            await server.ask("ping")


def is_locked(database: Path) -> bool:
    """Whether somebody keeps the lock for longer than any transaction takes."""
    with closing(sqlite3.connect(database, isolation_level=None, timeout=LONGEST_TRANSACTION)) as connection:
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError:
            return True
        connection.execute("rollback")
        return False
