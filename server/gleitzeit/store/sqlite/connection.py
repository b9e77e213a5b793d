"""The writing connection, and what this process is to the others that share the database."""

from __future__ import annotations

import logging
import math
import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from gleitzeit.core.errors import GleitzeitError, StoreError
from gleitzeit.store.base import Change, Committed, Owner
from gleitzeit.store.owners import MARGIN
from gleitzeit.store.sqlite import ownership
from gleitzeit.store.sqlite.changes import ChangeWriter
from gleitzeit.store.sqlite.database import Durability, Schema, begin, connect, open_database, rollback
from gleitzeit.store.sqlite.faults import opening_error, store_error
from gleitzeit.store.sqlite.file_ids import PathCheck
from gleitzeit.store.sqlite.ownership import Pulse
from gleitzeit.store.sqlite.queries import QUERIES
from gleitzeit.store.sqlite.rescue import Footing, bring_back, follows, footing

_LOG = logging.getLogger(__name__)

BRIEFLY = 1.0
"""Seconds that a sign of life waits for a lock; it is tried again soon, and whatever else is to be written waits."""

ATTEMPTS = 3
"""How often a file that is lost is brought back before what is to be written is given up."""


class WritingConnection:
    """What the writing thread has open; nobody else calls it, but `secured`, `lapses` and `footing` may be read."""

    def __init__(
        self, path: Path, durability: Durability, owner: Owner, pulse: Pulse, schema: Schema, patience: float
    ) -> None:
        self.path = path
        self.owner = owner
        self.secured = math.inf  # nothing is owned yet that anybody could claim
        self.lapses = 0
        self._durability: Durability = durability
        self._pulse = pulse
        self._schema = schema
        self._patience = patience
        self._path_check = PathCheck(path)
        self._due = 0.0
        self._data_version = 0
        self._complaint = ""

    def open(self) -> None:
        """Open the database and give the first sign of life."""
        try:
            self._adopt(open_database(self.path, self._durability, self._schema, self._others))
            self.beat()
        except (sqlite3.Error, OSError) as error:
            raise opening_error(self.path, error) from error

    def _adopt(self, connection: sqlite3.Connection) -> None:
        self.footing: Footing = footing(self.path, connection)
        self._connection = connection
        self._keeper = connect(self.path)  # reads a lost file while the other keeps it locked
        self._keeper.execute(QUERIES["select_identity"]).fetchall()
        self._data_version = self._version()

    @contextmanager
    def transaction(self, patience: float | None = None) -> Generator[sqlite3.Connection]:
        """A transaction on the file that has the database's path, before and after: else it would be lost with it."""
        self._begin(self._patience if patience is None else patience)
        try:
            yield self._connection
            self._connection.execute("commit")
        except BaseException:
            rollback(self._connection)
            raise
        if not self._in_place():
            self._begin(self._patience)
            rollback(self._connection)

    def write(self, changes: Sequence[Change]) -> list[Committed]:
        """Write changes within a transaction."""
        return ChangeWriter(self._connection, self.owner.id).write(changes)

    def look(self) -> bool:
        """Look after file and lease where it is time; whether another process has written since the last look."""
        try:
            if not self._in_place():
                self._recover()
            if self._pulse.uptime() >= self._due:
                self.beat()
            version = self._version()
        except (sqlite3.Error, OSError, GleitzeitError) as error:
            self.complain(error)
            return False
        self._complaint = ""
        written = version != self._data_version
        self._data_version = version
        return written

    def beat(self) -> None:
        """Give a sign of life, and forget processes that are gone and own nothing."""
        now = self._pulse.uptime()
        with self.transaction(BRIEFLY) as connection:
            ownership.beat(connection, self.owner, now)
            ownership.forget_gone(connection, self.owner, self._pulse)
        if self._pulse.uptime() > self.secured:
            self.lapses += 1  # before it is secured again: the loop reads both at any instant
        self.secured = now + self._pulse.lease * (1 - MARGIN)
        self._due = now + self._pulse.heartbeat

    def close(self) -> None:
        """Give up all runs and release the file; a fault is told and leaves the rest to the lease."""
        try:
            with self.transaction() as connection:
                ownership.leave(connection, self.owner)
            self._keeper.close()
            self._connection.execute("pragma wal_checkpoint(truncate)").fetchall()
        except (sqlite3.Error, OSError, GleitzeitError) as error:
            self.complain(error)
        with suppress(sqlite3.Error):  # nothing is left to be done about it
            self._keeper.close()
            self._connection.close()

    def _begin(self, patience: float) -> None:
        """Begin to write to the file that is in place. No other process writes to a lost one from then on."""
        for _ in range(ATTEMPTS):
            begin(self._connection, patience)
            if self._in_place():
                return
            rollback(self._connection)
            self._recover()
        raise StoreError(f"the database {self.path} is lost again and again", hint="see what deletes or replaces it")

    def _in_place(self) -> bool:
        """Whether the files that are open still have their paths; without its log, the database is lost, too."""
        return self._path_check.holds(self.footing.files)

    def _recover(self) -> None:
        """Go on with what was lost at its path, unless it is lost again meanwhile."""
        lost, keeper = self._connection, self._keeper
        begin(lost, self._patience)
        try:
            bring_back(keeper, self.path, self.footing, self.owner, self._pulse)
        finally:
            rollback(lost)
        found = open_database(self.path, self._durability, self._schema, self._others)
        if not follows(footing(self.path, found).identity, self.footing.identity):
            found.close()  # lost once more before it was opened: what has it all is still needed
            return
        self._adopt(found)
        keeper.close()
        lost.close()

    def _others(self, connection: sqlite3.Connection) -> frozenset[str]:
        return ownership.living_owners(connection, self.owner, self._pulse) - {self.owner.id}

    def _version(self) -> int:
        return int(self._connection.execute("pragma data_version").fetchone()[0])

    def complain(self, error: Exception) -> GleitzeitError:
        """Log a fault in words, once as long as it lasts."""
        reported = error if isinstance(error, GleitzeitError) else store_error(self.path, error)
        if str(reported) != self._complaint:
            self._complaint = str(reported)
            _LOG.error("%s", reported)
        return reported
