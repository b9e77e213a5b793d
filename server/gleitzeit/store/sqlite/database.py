"""The database file: how it is opened, created and recognised, and brought to this version."""

from __future__ import annotations

import logging
import os
import sqlite3
import sys
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from gleitzeit.core.errors import ConfigurationError, StoreError
from gleitzeit.store.sqlite.faults import is_busy
from gleitzeit.store.sqlite.queries import QUERIES

Durability = Literal["full", "normal"]

Others = Callable[[sqlite3.Connection], Collection[str]]
"""The living processes, but for this one, that use a database."""

_LOG = logging.getLogger(__name__)

PATIENCE = 10.0
"""Seconds that another program may keep the database locked."""

APPLICATION = 0x475A5442
"""Tells our files from other programs' databases."""

_PAUSE = 0.002
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Schema:
    """The schema of a new database, and what brings an older one to each version, from 2 on."""

    script: str
    migrations: Mapping[int, str]

    @property
    def version(self) -> int:
        """The newest version."""
        return max(self.migrations, default=1)


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


SCHEMA = Schema(_text("schema.sql"), migrations={2: _text("migration_2.sql")})
"""The schema of this version of Gleitzeit."""


def connect(path: Path, durability: Durability = "full") -> sqlite3.Connection:
    """A connection to a file that exists; statements are autonomous unless a transaction is begun."""
    uri = f"{path.absolute().as_uri()}?mode=rw"
    connection = sqlite3.connect(
        uri, uri=True, isolation_level=None, check_same_thread=False, timeout=PATIENCE, cached_statements=128
    )
    connection.execute(f"pragma synchronous = {durability}")
    connection.execute("pragma wal_autocheckpoint = 4000")
    connection.execute("pragma journal_size_limit = 67108864")
    if sys.platform == "darwin":  # elsewhere a sync reaches the disk by itself
        connection.execute("pragma fullfsync = on")
        connection.execute("pragma checkpoint_fullfsync = on")
    return connection


def begin(connection: sqlite3.Connection, patience: float = PATIENCE) -> None:
    """Begin to write. Raises `sqlite3.OperationalError` where somebody else keeps the lock for so long.

    SQLite's own waiting grows to 100 ms a turn, by which a busy neighbour would always be first; this asks more often.
    """
    until = 0.0
    while True:
        try:
            connection.execute("begin immediate")
        except sqlite3.OperationalError as error:
            until = until or time.monotonic() + patience
            if not is_busy(error) or time.monotonic() >= until:
                raise
            time.sleep(_PAUSE)
        else:
            return


def rollback(connection: sqlite3.Connection) -> None:
    """End a transaction that failed, where SQLite has not done so itself."""
    if connection.in_transaction:
        with suppress(sqlite3.Error):  # what matters is the error before
            connection.execute("rollback")


def nobody(_connection: sqlite3.Connection) -> Collection[str]:
    """No other process is known to use a database."""
    return ()


def open_database(
    path: Path, durability: Durability, schema: Schema = SCHEMA, others: Others = nobody
) -> sqlite3.Connection:
    """A connection to the database, which is created or brought to this version.

    Raises `ConfigurationError` where the file is something else, `StoreError` where it is of an older version that
    others use, and what SQLite and the system raise.
    """
    _create(path)
    until = time.monotonic() + PATIENCE
    while True:
        try:
            return _open(path, durability, schema, others)
        except sqlite3.OperationalError as error:  # two that switch to WAL at once don't wait for each other
            if not is_busy(error) or time.monotonic() >= until:
                raise
            time.sleep(_PAUSE)


def _create(path: Path) -> None:
    """An empty file that only its owner may read, unless there is one."""
    if path.is_dir():
        raise ConfigurationError(f"{path} is a folder, not a database", hint="set engine.database to a file")
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))


def _open(path: Path, durability: Durability, schema: Schema, others: Others) -> sqlite3.Connection:
    connection = connect(path, durability)
    try:
        connection.execute("pragma busy_timeout = 0")  # `begin` waits in its own way
        connection.execute("begin")  # another process may be creating it: what tells is read in one state
        _recognise(path, connection, schema)
        connection.execute("rollback")
        (mode,) = connection.execute("pragma journal_mode = wal").fetchone()
        _require_wal(path, mode)
        begin(connection)
        _migrate(path, connection, schema, others)
        connection.execute("commit")
    except BaseException:
        connection.close()
        raise
    return connection


def _require_wal(path: Path, mode: str) -> None:
    if mode != "wal":
        raise ConfigurationError(
            f"the file system of {path} can't hold a database that several processes share",
            hint="set engine.database to a file on a local disk",
        )


def _recognise(path: Path, connection: sqlite3.Connection, schema: Schema) -> int:
    """The version of what is there, 0 for nothing."""
    (application,) = connection.execute("pragma application_id").fetchone()
    (version,) = connection.execute("pragma user_version").fetchone()
    (tables,) = connection.execute("select count(*) from sqlite_schema").fetchone()
    if application != APPLICATION and (application or version or tables):
        raise ConfigurationError(
            f"{path} is the database of another program", hint="set engine.database to another file"
        )
    if version > schema.version:
        raise ConfigurationError(
            f"the database {path} is from a newer version of Gleitzeit (schema {version}, and not {schema.version})",
            hint="use that version, or set engine.database to another file",
        )
    return int(version)


def _migrate(path: Path, connection: sqlite3.Connection, schema: Schema, others: Others) -> None:
    """Bring the schema to this version, in the transaction that has begun: another process may have been first."""
    version = _recognise(path, connection, schema)
    if version == schema.version:
        return
    if version:
        _require_alone(path, version, len(others(connection)))
        _LOG.warning("bringing the database %s to schema %d; a large one takes a while", path, schema.version)
    scripts = (
        [schema.migrations[step] for step in range(version + 1, schema.version + 1)] if version else [schema.script]
    )
    for script in scripts:
        for statement in statements(script):
            connection.execute(statement)
    connection.execute(f"pragma application_id = {APPLICATION}")
    connection.execute(f"pragma user_version = {schema.version}")


def _require_alone(path: Path, version: int, users: int) -> None:
    """Those that have opened it could neither read nor write it any more."""
    if users:
        raise StoreError(
            f"the database {path} is from an older version of Gleitzeit (schema {version}), and in use by that",
            hint="stop the processes that use it (`gleitzeit serve` and hosts); it is brought forward then",
        )


def statements(script: str) -> list[str]:
    """The statements of a script; `executescript` would commit before it begins."""
    found: list[str] = []
    pending = ""
    for part in script.split(";"):
        pending += part + ";"
        if sqlite3.complete_statement(pending) and pending.strip("; \n"):
            found.append(pending.strip())
            pending = ""
    return found


def identity_of(path: Path) -> tuple[str, int] | None:
    """Which database a file is, and how often it was written anew; nothing where it is none of ours."""
    try:
        with closing(connect(path)) as connection:
            (application,) = connection.execute("pragma application_id").fetchone()
            row = connection.execute(QUERIES["select_identity"]).fetchone()
    except sqlite3.Error:
        return None
    return row if application == APPLICATION else None
