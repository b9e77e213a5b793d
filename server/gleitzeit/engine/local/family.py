"""`Family`: the runs that tasks start, from their beginning, or from where they are found again, to their end."""

from __future__ import annotations

import logging

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.models import OVER, Failure, Run
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local.closing import closing
from gleitzeit.engine.local.context import EngineParts
from gleitzeit.engine.local.restoring import settle
from gleitzeit.engine.local.roster import Roster
from gleitzeit.engine.local.runner import Runner
from gleitzeit.engine.local.views import run_of
from gleitzeit.engine.local.work import Work
from gleitzeit.store.base import Change, RunHead, Snapshot

logger = logging.getLogger("gleitzeit.engine")

_STOPPED = Failure("cancelled", "its parent run was cancelled")
_PAGE = 1_000


class Family:
    """Children are carried out where their parent is, and end with it."""

    def __init__(self, parts: EngineParts, roster: Roster) -> None:
        self._parts = parts
        self._roster = roster

    async def child(self, submission: Submission) -> Run:
        """The run that a task starts, once it is over; it ends where the task stops waiting.

        After a crash the child that the task started before is found again, and goes on.
        """
        parent = self._roster.find(submission.parent_id or "")
        found = await self._found(parent, submission) if parent is not None and parent.restored else None
        if found is None:
            child = self._roster.begin(submission)
            await child.receipt.wait()
        elif found.run.state in OVER or parent is None:
            return run_of(found)
        else:
            child = self._roster.find(found.run.id) or await self._roster.adopt(found, parent)
        work = None if parent is None else parent.works.get((submission.parent_task or "").partition("/")[0])
        await self._end_of(child, work)
        return run_of(child.ledger.snapshot())

    async def cancel_children(self, runner: Runner) -> None:
        """End all runs that the tasks of a run have started."""
        for run_id in list(runner.children):
            child = self._roster.find(run_id)
            if child is not None:
                child.close("cancelled", _STOPPED)
                await self.cancel_children(child)
                await child.bell.silence()

    def forsake(self, runner: Runner) -> None:
        """End the children of a run that is over, beside it."""
        self._parts.crew.give(_Forsaken(self, runner.row.id))

    async def close(self, claimed: Snapshot, failure: Failure) -> None:
        """End a run that this process has claimed and does not carry out, with its children."""
        run, parts = claimed.run, self._parts
        settled = await settle(claimed, parts.methods, parts.clock)
        end = closing(run, settled.rows.values(), "cancelled", failure, parts.clock.now())
        tasks, events = [*settled.changed, *end.tasks], [*settled.events, *end.events]
        (outcome,) = await parts.store.commit([Change(run.id, run.epoch, tasks, events, end.run)])
        if isinstance(outcome, GleitzeitError):
            raise outcome
        await self.close_children(run.id)

    async def close_children(self, run_id: str) -> None:
        """End all children of a run that were claimed with it, and that nobody carries out."""
        for head in await self._children(run_id):
            snapshot = await self._parts.store.load(head.id)
            if snapshot is not None and snapshot.run.state not in OVER and self._roster.find(head.id) is None:
                await self.close(snapshot, _STOPPED)

    async def _end_of(self, child: Runner, work: Work | None) -> None:
        slots = self._parts.slots
        if work is not None:
            work.away += 1
            if work.slot:
                work.slot = False
                slots.release()
        try:
            await child.bell.silence()
        except BaseException:
            child.close("cancelled", Failure("cancelled", "the task that started it was stopped"))
            raise
        if work is not None:
            work.away -= 1
            if work.away == 0 and not work.slotless:
                await slots.regain()
                work.slot = True
                if work.over:  # it was given up meanwhile, and its slot with it
                    work.slot = False
                    slots.release()

    async def _found(self, parent: Runner, submission: Submission) -> Snapshot | None:
        wanted = self._roster.digest_of(submission)
        for head in await self._children(parent.row.id):
            same = head.parent_task == submission.parent_task and head.digest == wanted
            if same and head.state not in ("failed", "cancelled"):
                return await self._parts.store.load(head.id)
        return None

    async def _children(self, run_id: str) -> list[RunHead]:
        heads: list[RunHead] = []
        cursor: str | None = None
        while True:
            page = await self._parts.store.runs(parent_id=run_id, limit=_PAGE, cursor=cursor)
            heads += page.runs
            cursor = page.cursor
            if cursor is None:
                return heads


class _Forsaken:
    """Ends the children of a run that is over."""

    def __init__(self, family: Family, run_id: str) -> None:
        self._family = family
        self._run_id = run_id

    async def run(self) -> None:
        """End them; where that fails, they are left to whoever claims them."""
        try:
            await self._family.close_children(self._run_id)
        except GleitzeitError as error:
            logger.warning("the children of run %s could not be ended: %s", self._run_id, error)
