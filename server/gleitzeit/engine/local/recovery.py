"""`Recovery`: takes up runs that nobody carries out any more."""

from __future__ import annotations

import logging

import anyio

from gleitzeit.core.errors import GleitzeitError, LeaseLostError, MethodNotFoundError, StoreError
from gleitzeit.core.models import Failure
from gleitzeit.engine.local.context import EngineParts
from gleitzeit.engine.local.family import Family
from gleitzeit.engine.local.open_runs import OpenRuns
from gleitzeit.store.base import HEARTBEAT, Orphan, Snapshot

logger = logging.getLogger("gleitzeit.engine")

_ASKING = 10.0
_PAGE = 100


class Recovery:
    """Looks for such runs at the start and at every heartbeat.

    A run is taken up only where all of its methods are served, for otherwise it would fail here and not elsewhere.
    One that can't be restored fails, and holds up no other.
    """

    def __init__(self, parts: EngineParts, open_runs: OpenRuns, family: Family, *, claims: bool) -> None:
        self._parts = parts
        self._open_runs = open_runs
        self._family = family
        self._claims = claims
        self._call = anyio.Event()

    def look(self) -> None:
        """Look now."""
        self._call.set()

    async def keep(self) -> None:
        """Take up what there is, until cancelled."""
        while self._claims:
            self._call = anyio.Event()
            try:
                await self._take_up()
            except StoreError as error:  # it goes on where the cause goes away
                logger.warning("the runs that nobody carries out can't be looked at: %s", error)
            with anyio.move_on_after(HEARTBEAT):
                await self._call.wait()

    async def _take_up(self) -> None:
        served: dict[str, bool] = {}
        after: str | None = None
        while self._open_runs.room:
            orphans = await self._parts.store.orphans(after, min(_PAGE, self._open_runs.room))
            if not orphans:
                return
            for orphan in orphans:
                if await self._serves(orphan, served):
                    await self._adopt(orphan)
            after = orphans[-1].run_id

    async def _adopt(self, orphan: Orphan) -> None:
        async with self._open_runs.claiming:
            if self._open_runs.find(orphan.run_id) is not None:
                return
            snapshot = await self._parts.store.claim(orphan.run_id)
            if snapshot is None or snapshot.run.state not in ("pending", "running"):
                return
            if snapshot.run.parent_id is not None:
                await self._family.close(snapshot, Failure("cancelled", "its parent run is over"))
                return
            logger.info("run %s goes on here", orphan.run_id)
            try:
                await self._open_runs.adopt(snapshot)
            except StoreError:
                raise
            except Exception as error:
                if self._open_runs.closing:  # it stays as it was, and goes to whoever takes it up next
                    return
                logger.exception("run %s can't be restored", orphan.run_id)
                await self._fail(snapshot, error)

    async def _fail(self, snapshot: Snapshot, error: Exception) -> None:
        """End a run that can't be restored; any other process would fail in the same way."""
        failure = Failure("internal", f"the run can't be restored: {type(error).__name__}: {error}")
        if isinstance(error, GleitzeitError):
            failure = Failure.of(error)
        try:
            await self._family.close(snapshot, failure, "failed")
        except LeaseLostError:  # it is another process's by now
            return

    async def _serves(self, orphan: Orphan, served: dict[str, bool]) -> bool:
        for method in orphan.methods:
            if method not in served:
                served[method] = await self._is_served(method)
        return all(served[method] for method in orphan.methods)

    async def _is_served(self, method: str) -> bool:
        with anyio.move_on_after(_ASKING):
            try:
                await self._parts.methods.describe(method)
            except MethodNotFoundError:
                return False
            except GleitzeitError:  # its provider can't say now: the next time will do
                return False
            return True
        return False
