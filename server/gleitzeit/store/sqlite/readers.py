"""Reads beside the writer: each sees one consistent state, in a thread of its own, and soon ends."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable
from contextlib import closing
from typing import TypeVar

import anyio
from anyio import to_thread

from gleitzeit.store.sqlite.connection import WritingConnection
from gleitzeit.store.sqlite.database import connect, rollback
from gleitzeit.store.sqlite.faults import store_error
from gleitzeit.store.sqlite.rescue import Footing

Value = TypeVar("Value")

AT_ONCE = 4
"""Connections that read at the same time."""


class Readers:
    """A few connections that only read."""

    def __init__(self, writing: WritingConnection) -> None:
        self._writing = writing
        self._limiter = anyio.CapacityLimiter(AT_ONCE)
        self._idle: deque[tuple[Footing, sqlite3.Connection]] = deque()

    async def read(self, reading: Callable[[sqlite3.Connection], Value]) -> Value:
        """What `reading` finds in one state of the database. Raises `StoreError`."""
        return await to_thread.run_sync(self._read, reading, limiter=self._limiter)

    def close(self) -> None:
        """Close the connections; none may be reading."""
        while self._idle:
            self._idle.pop()[1].close()

    def _read(self, reading: Callable[[sqlite3.Connection], Value]) -> Value:
        try:
            footing, connection = self._take()
            try:
                connection.execute("begin")
                value = reading(connection)
            finally:
                rollback(connection)
                self._idle.append((footing, connection))
        except (sqlite3.Error, OSError) as error:
            raise store_error(self._writing.path, error) from error
        return value

    def _take(self) -> tuple[Footing, sqlite3.Connection]:
        """A connection to the file that the writer has open; one to a file that was lost is of no use any more."""
        footing = self._writing.footing
        while self._idle:
            kept, connection = self._idle.pop()
            if kept == footing:
                return kept, connection
            with closing(connection):
                pass
        return footing, connect(self._writing.path)
