"""`Lookout`: gives up runs that another process has taken, and does what other processes ask for."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

import anyio

from gleitzeit.core.errors import StoreError
from gleitzeit.core.models import Failure
from gleitzeit.engine.bell import Bells
from gleitzeit.engine.local.context import EngineParts
from gleitzeit.engine.local.open_runs import OpenRuns
from gleitzeit.engine.local.post import take
from gleitzeit.engine.local.runner import Runner
from gleitzeit.store.base import HEARTBEAT, Change, Snapshot

logger = logging.getLogger("gleitzeit.engine")


class Lookout:
    """Looks at every heartbeat, and when another process has written something, which it then tells `elsewhere`."""

    def __init__(self, parts: EngineParts, open_runs: OpenRuns, changed: Bells, elsewhere: Callable[[], None]) -> None:
        self._parts = parts
        self._open_runs = open_runs
        self._changed = changed
        self._elsewhere = elsewhere
        self._call = anyio.Event()
        self._forgotten: set[str] = set()

    def look(self) -> None:
        """Look now: another process has written something."""
        self._call.set()
        self._changed.ring_all()
        self._elsewhere()

    async def listen(self) -> None:
        """Look now at what other processes have asked for."""
        try:
            await self._listen()
        except StoreError:  # it is warned of where all looks are taken
            self._call.set()

    async def find(self, run_id: str) -> Runner | None:
        """The runner of a run that this process carries out; none where another one may have taken it, and has."""
        runner = self._open_runs.find(run_id)
        if runner is None or runner.unwritten or self._parts.tenure.certain:
            return runner
        await self._check(runner)
        return self._open_runs.find(run_id)

    async def keep(self) -> None:
        """Look until cancelled."""
        while True:
            self._call = anyio.Event()
            try:
                await self._give_up()
                await self._listen()
            except StoreError as error:  # it goes on where the cause goes away
                logger.warning("what other processes do can't be looked at: %s", error)
            with anyio.move_on_after(HEARTBEAT):
                await self._call.wait()

    async def _listen(self) -> None:
        """Do what other processes ask for."""
        for request in await self._parts.store.requests():
            runner = self._open_runs.find(request.run_id)
            if runner is None:
                continue
            if request.kind == "answer":
                take(runner, request)
            else:
                reason = str(request.body.get("reason", "the run was cancelled"))
                runner.close("cancelled", Failure("cancelled", reason))

    async def _give_up(self) -> None:
        """Stop the runs that another process has claimed."""
        lapses = self._parts.store.lapses
        before = {runner.row.id: runner for runner in self._open_runs}
        owned = await self._parts.store.owned()
        for run_id, runner in before.items():
            if owned.get(run_id) != runner.row.epoch and not runner.over and not runner.unwritten:
                await self._check(runner)
        self._parts.tenure.confirm(lapses)
        await self._release({run_id: epoch for run_id, epoch in owned.items() if run_id not in before})

    async def _release(self, forgotten: Mapping[str, int]) -> None:
        """Give up runs that are ours by an accident: a fault came between claiming and taking them up.

        A child that its parent has not found again yet stays with it.
        """
        twice = forgotten.keys() & self._forgotten
        self._forgotten = set(forgotten)
        if not twice:
            return
        async with self._open_runs.claiming:
            for run_id in twice:
                snapshot = await self._parts.store.load(run_id)
                if snapshot is None or self._open_runs.find(run_id) is not None or self._has_parent(snapshot):
                    continue
                await self._parts.store.commit([Change(run_id, forgotten[run_id], release=True)])

    def _has_parent(self, snapshot: Snapshot) -> bool:
        return self._open_runs.find(snapshot.run.root_id or "") is not None

    async def _check(self, runner: Runner) -> None:
        """Stop a run that is another process's by now; it may as well have ended just now."""
        snapshot = await self._parts.store.load(runner.row.id)
        if runner.over or (snapshot is not None and snapshot.run.epoch == runner.row.epoch):
            return
        logger.warning("run %s was taken over by another process", runner.row.id)
        runner.lose()
