"""`SqliteStore`: the store of a file that several processes on one machine share."""

from __future__ import annotations

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

from gleitzeit.core.models import Event, Workflow
from gleitzeit.store.base import (
    HEARTBEAT,
    LEASE,
    CachedResult,
    Change,
    Committed,
    Orphan,
    Owner,
    Request,
    RunPage,
    SavedWorkflow,
    Snapshot,
    Store,
)
from gleitzeit.store.cursors import number_of
from gleitzeit.store.saving import next_version
from gleitzeit.store.sqlite import ownership, pruning, reading
from gleitzeit.store.sqlite.connection import WritingConnection
from gleitzeit.store.sqlite.database import PATIENCE, SCHEMA, Durability, Schema
from gleitzeit.store.sqlite.ownership import Pulse
from gleitzeit.store.sqlite.queries import QUERIES
from gleitzeit.store.sqlite.readers import Readers
from gleitzeit.store.sqlite.rows import from_saved
from gleitzeit.store.sqlite.writer import Writer

logger = logging.getLogger(__name__)


class SqliteStore(Store):
    """Keeps runs in a database file; what was acknowledged survives the process and, `full`, a loss of power too."""

    def __init__(
        self,
        path: Path | str,
        *,
        durability: Durability = "full",
        uptime: Callable[[], float] = time.monotonic,
        lease: float = LEASE,
        heartbeat: float = HEARTBEAT,
        patience: float = PATIENCE,
        schema: Schema = SCHEMA,
    ) -> None:
        self._path = Path(
            os.path.realpath(path)
        )  # SQLite keeps its log beside the file itself, not beside a link to it
        self._durability: Durability = durability
        self._pulse = Pulse(uptime, lease, heartbeat)
        self._patience = patience
        self._schema = schema

    async def open(self, owner: Owner, changed: Callable[[], None] = lambda: None) -> None:
        """Open the file, or create it, and give signs of life for `owner` from now on.

        Raises `ConfigurationError` where it is something else, and `StoreError` where it can't be opened now.
        """
        self._owner = owner
        self._writing = WritingConnection(
            self._path, self._durability, owner, self._pulse, self._schema, self._patience
        )
        self._writer = Writer(self._writing, changed)
        self._readers = Readers(self._writing)
        await self._writer.start()
        _warn_of_others(self._path)

    async def close(self) -> None:
        """Write what is left, give up all runs, and release the file."""
        await self._writer.stop()
        self._readers.close()

    @property
    def secured(self) -> float:
        """Until when nobody else claims the runs of this owner: some time before its lease ends."""
        return self._writing.secured

    @property
    def lapses(self) -> int:
        """How often a sign of life came too late to keep others from claiming the runs of this owner."""
        return self._writing.lapses

    async def commit(self, changes: Sequence[Change]) -> Sequence[Committed]:
        """Write several changes, together with all else that waits, in one transaction."""
        return await self._writer.commit(changes)

    async def load(self, run_id: str) -> Snapshot | None:
        """A run with its tasks, or nothing."""
        return await self._readers.read(partial(reading.snapshot, run_id=run_id))

    async def runs(
        self,
        *,
        caller: str | None = None,
        state: str | None = None,
        name: str | None = None,
        parent_id: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> RunPage:
        """Runs that fit, newest first. Raises `ValidationError` for a cursor that it did not give."""
        filters = {
            "caller": caller,
            "state": state,
            "name": name,
            "parent_id": parent_id,
            "before": number_of(cursor),
        }
        return await self._readers.read(partial(reading.page, filters=filters, limit=limit))

    async def events(self, run_id: str, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of a run with a higher `seq` than `after`, in order."""
        return await self._readers.read(partial(reading.events, run_id=run_id, after=after, limit=limit))

    async def cached(self, caller: str, digest: str, now: float) -> CachedResult | None:
        """The newest completed result of this caller's runs under `digest` that has not expired at `now`."""
        return await self._readers.read(partial(reading.cached, caller=caller, digest=digest, now=now))

    async def prune(self, *, now: float, before: float | None = None, keep: int | None = None) -> int:
        """Forget runs that are over, those too old and those too many; how many without a parent they were."""
        forgotten = 0
        while found := await self._writer.do(partial(pruning.forget, before=before, keep=keep)):
            forgotten += found
        while await self._writer.do(pruning.sweep):
            pass
        await self._writer.do(partial(pruning.forget_expired, now=now))
        return forgotten

    async def orphans(self, after: str | None = None, limit: int = 100) -> Sequence[Orphan]:
        """Runs in state pending or running that nobody living carries out, oldest first, after the run `after`."""

        def read(connection: sqlite3.Connection) -> Sequence[Orphan]:
            return ownership.orphans(connection, self._owner, self._pulse, after, limit)

        return await self._readers.read(read)

    async def claim(self, run_id: str) -> Snapshot | None:
        """Take a run that is not over, with its descendants that are not, unless a living process has it."""

        def take(connection: sqlite3.Connection) -> bool:
            return ownership.claim(connection, run_id, self._owner, self._pulse)

        return await self.load(run_id) if await self._writer.do(take) else None

    async def owned(self) -> Mapping[str, int]:
        """The open runs that this owner has, and their epochs."""
        return await self._readers.read(partial(ownership.owned, owner=self._owner.id))

    async def request(self, request: Request) -> None:
        """Leave a request for the process that carries a run out; one for a run that is over is none."""
        await self._writer.do(partial(ownership.request, wanted=request))

    async def requests(self) -> Sequence[Request]:
        """The requests that are left for this owner's runs, oldest first."""
        return await self._readers.read(partial(ownership.requests, owner=self._owner.id))

    async def save_workflow(self, caller: str, workflow: Workflow, now: float, *, overwrite: bool) -> SavedWorkflow:
        """Keep a workflow under its name. Raises `ConflictError` where another one has it, unless `overwrite`."""

        def save(connection: sqlite3.Connection) -> SavedWorkflow:
            kept = reading.workflow(connection, caller, workflow.name)
            saved = next_version(kept, caller, workflow, now, overwrite=overwrite)
            if saved is not kept:
                connection.execute(QUERIES["put_workflow"], from_saved(saved))
            return saved

        saved: SavedWorkflow = await self._writer.do(save)
        return saved

    async def workflow(self, caller: str, name: str) -> SavedWorkflow | None:
        """A caller's workflow of that name, or nothing."""
        return await self._readers.read(partial(reading.workflow, caller=caller, name=name))

    async def workflows(self, caller: str) -> Sequence[SavedWorkflow]:
        """All saved workflows of a caller, by name."""
        return await self._readers.read(partial(reading.workflows, caller=caller))

    async def workflows_state(self) -> str:
        """Something that is another after anybody has saved, changed or deleted a workflow."""
        return await self._readers.read(reading.workflows_state)

    async def delete_workflow(self, caller: str, name: str) -> bool:
        """Forget a workflow; whether there was one."""

        def delete(connection: sqlite3.Connection) -> bool:
            return connection.execute(QUERIES["delete_workflow"], (caller, name)).rowcount > 0

        deleted: bool = await self._writer.do(delete)
        return deleted


def _warn_of_others(path: Path) -> None:
    """Tell of a file that is not its owner's alone, for runs and their results may be private."""
    mode = path.stat().st_mode & 0o077
    if mode and os.name == "posix":
        logger.warning("other users may read or write %s: chmod 600 keeps it to its owner", path)
