"""`Sight`: how a run stands and what becomes of it, for whoever looks on, whichever process carries it out."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable

import anyio
import anyio.lowlevel

from gleitzeit.core.errors import RunNotFoundError
from gleitzeit.core.models import OVER, Event
from gleitzeit.engine.bell import Bells
from gleitzeit.engine.local.open_runs import OpenRuns
from gleitzeit.engine.local.results import is_text
from gleitzeit.engine.local.runner import Runner
from gleitzeit.engine.local.waiting import questions_in
from gleitzeit.store.base import Snapshot, Store

_LAST = 1 << 62


class Sight:
    """Looks at runs, for as long as the engine `is_open`. `find` is the lookout's: what carries a run out here."""

    def __init__(
        self,
        store: Store,
        open_runs: OpenRuns,
        find: Callable[[str], Awaitable[Runner | None]],
        changed: Bells,
        is_open: Callable[[], bool],
    ) -> None:
        self._store = store
        self._open_runs = open_runs
        self._find = find
        self._changed = changed
        self._is_open = is_open

    async def load(self, run_id: str, caller: str | None) -> Snapshot:
        """The run as it stands now. Raises `RunNotFoundError` where there is none, or it is not the caller's."""
        runner = await self._find(run_id)
        if runner is None and not is_text(run_id):
            raise RunNotFoundError("there is no such run: its id is no text that can be written")
        snapshot = await self._store.load(run_id) if runner is None else runner.rows.snapshot()
        if snapshot is None or (caller is not None and snapshot.run.caller != caller):
            raise RunNotFoundError(f'there is no run "{run_id}"')
        return snapshot

    async def events(self, run_id: str, after: int, *, caller: str | None, patient: bool) -> AsyncIterator[Event]:
        """The run's events after `after`, until it is over or, unless `patient`, does nothing more by itself."""
        await self.load(run_id, caller)
        resting = False
        while True:
            runner = self._open_runs.find(run_id)
            bell = self._changed.of(run_id) if runner is None else runner.bell
            rings = bell.rings
            page = await self._store.events(run_id, min(after, _LAST))
            if runner is not None:  # nothing is told that `get` does not show yet
                page = [event for event in page if event.seq <= runner.rows.seq]
            for event in page:
                yield event
                after = event.seq
            if page:
                continue
            if resting or not self._is_open():
                return
            resting = runner is None and await self._rests(run_id, patient)
            if not resting:  # else what it has written last may have come since
                await bell.rung(rings)

    async def rest_of(self, run_id: str, timeout: float | None = None, *, heeding: bool = True) -> Snapshot:
        """The run once it does nothing more by itself or, `heeding` its questions, waits for an answer.

        It is given as it stands if that does not come within `timeout` seconds.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            runner = self._open_runs.find(run_id)
            bell = self._changed.of(run_id) if runner is None else runner.bell
            rings = bell.rings
            left = None if until is None else max(0.0, until - time.monotonic())
            if runner is not None:
                in_time = await (bell.pause(left) if heeding else bell.silence(left))
                snapshot = runner.rows.snapshot()
            else:
                in_time, snapshot = True, await self.load(run_id, None)
            if not in_time:
                return await self.load(run_id, None)
            if snapshot.run.state != "running" or not self._is_open():
                return snapshot
            if heeding and questions_in(snapshot.tasks.values()):
                await anyio.lowlevel.checkpoint()  # who asks again and again must not keep the answer from coming
                return snapshot
            if runner is None and not await bell.rung(rings, left):
                return await self.load(run_id, None)

    async def _rests(self, run_id: str, patient: bool) -> bool:
        snapshot = await self._store.load(run_id)
        if snapshot is None or snapshot.run.state in OVER:
            return True
        return snapshot.run.state != "running" and not patient
