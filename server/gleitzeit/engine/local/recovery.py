"""`Recovery`: takes up runs that nobody carries out any more, gives up those that another process has taken."""

from __future__ import annotations

import logging

import anyio

from gleitzeit.core.errors import GleitzeitError, MethodNotFoundError, StoreError
from gleitzeit.core.models import Failure
from gleitzeit.engine.events import Bell
from gleitzeit.engine.local.context import EngineParts
from gleitzeit.engine.local.roster import Roster
from gleitzeit.engine.local.runner import Runner
from gleitzeit.store.base import HEARTBEAT, Orphan

logger = logging.getLogger("gleitzeit.engine")

_ASKING = 10.0
_PAGE = 100


class Recovery:
    """Looks around at the start, at every heartbeat, and when another process has written something.

    A run is taken up only where all of its methods are served, for otherwise it would fail here and not elsewhere.
    """

    def __init__(self, parts: EngineParts, roster: Roster, changed: Bell, *, claims: bool) -> None:
        self._parts = parts
        self._roster = roster
        self._changed = changed
        self._claims = claims
        self._call = anyio.Event()
        self._due = 0.0

    def look(self) -> None:
        """Look around now: another process has written something."""
        self._call.set()
        self._changed.ring()

    def look_up(self) -> None:
        """Look for runs to take up now."""
        self._due = 0.0
        self._call.set()

    async def keep(self) -> None:
        """Look around until cancelled."""
        while True:
            try:
                if anyio.current_time() >= self._due:
                    self._due = anyio.current_time() + HEARTBEAT
                    await self._give_up()
                    await self._take_up()
                await self._listen()
            except StoreError as error:  # it goes on where the cause goes away
                logger.warning("the runs of other processes can't be looked at: %s", error)
            with anyio.move_on_after(max(0.0, self._due - anyio.current_time())):
                await self._call.wait()
            self._call = anyio.Event()

    async def _listen(self) -> None:
        """Do what other processes ask for."""
        for request in await self._parts.store.requests():
            runner = self._roster.find(request.run_id)
            if runner is not None and request.kind == "cancel":
                reason = str(request.body.get("reason", "the run was cancelled"))
                runner.close("cancelled", Failure("cancelled", reason))

    async def _give_up(self) -> None:
        """Stop the runs that another process has claimed."""
        before = {runner.row.id: runner for runner in self._roster if not runner.unwritten}
        owned = await self._parts.store.owned()
        for run_id, runner in before.items():
            if owned.get(run_id) != runner.row.epoch and not runner.over:
                await self._check(runner)

    async def _check(self, runner: Runner) -> None:
        """Stop a run that is another process's by now; it may as well have ended just now."""
        snapshot = await self._parts.store.load(runner.row.id)
        if snapshot is not None and snapshot.run.epoch == runner.row.epoch:
            return
        logger.warning("run %s was taken over by another process", runner.row.id)
        runner.lose()

    async def _take_up(self) -> None:
        if not self._claims:
            return
        served: dict[str, bool] = {}
        after: str | None = None
        while self._roster.room:
            orphans = await self._parts.store.orphans(after, min(_PAGE, self._roster.room))
            if not orphans:
                return
            for orphan in orphans:
                if await self._serves(orphan, served):
                    await self._adopt(orphan)
            after = orphans[-1].run_id

    async def _adopt(self, orphan: Orphan) -> None:
        async with self._roster.claiming:
            if self._roster.find(orphan.run_id) is not None:
                return
            snapshot = await self._parts.store.claim(orphan.run_id)
            if snapshot is not None and snapshot.run.state in ("pending", "running"):
                logger.info("run %s goes on here", orphan.run_id)
                await self._roster.adopt(snapshot)

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
