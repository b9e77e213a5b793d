"""`Family`: the runs that tasks start, from their beginning, or from where they are found again, to their end."""

from __future__ import annotations

import logging
import secrets as randomness
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

import anyio

from gleitzeit.core.decisions import Decision, unknown_keys
from gleitzeit.core.errors import GleitzeitError, StoreError
from gleitzeit.core.keys import maker_of, task_of
from gleitzeit.core.models import OVER, Failure, Run, RunState
from gleitzeit.engine.base import Resumption, Submission
from gleitzeit.engine.bell import Bells
from gleitzeit.engine.local.closing import closing
from gleitzeit.engine.local.context import EngineParts
from gleitzeit.engine.local.interrupted import doubtful, settled
from gleitzeit.engine.local.lending import slot_lent
from gleitzeit.engine.local.open_runs import OpenRuns
from gleitzeit.engine.local.resuming import resumed_run
from gleitzeit.engine.local.runner import Runner
from gleitzeit.engine.local.submissions import digest_of, row_of
from gleitzeit.engine.local.views import run_of
from gleitzeit.engine.local.work import Work
from gleitzeit.store.base import Change, RunHead, Snapshot

logger = logging.getLogger("gleitzeit.engine")

_STOPPED = Failure("cancelled", "its parent run was cancelled")
_PAGE = 1_000
_GENERATIONS = 20
_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 60.0


class Family:
    """Children are carried out where their parent is, and end with it.

    `changed` rings for a run that was ended and is not carried out here, for whoever watches it.
    """

    def __init__(self, parts: EngineParts, open_runs: OpenRuns, changed: Bells) -> None:
        self._parts = parts
        self._open_runs = open_runs
        self._changed = changed

    async def child(self, submission: Submission) -> Run:
        """The run that a task starts, once it is over; it ends where the task stops waiting.

        After a crash the child that the task started before is found again, and goes on; where the parent resumes
        another run, the child goes on from what the child of that one has done.
        """
        parent = self._open_runs.find(submission.parent_id or "")
        work = None if parent is None else parent.works.get(maker_of(submission.parent_task or ""))
        if work is not None:  # an attempt after one that failed has children of its own
            submission = replace(submission, attempt=work.attempt.failures)
        found = await self._found(parent, submission) if parent is not None and parent.restored else None
        if found is None:
            child = await self._begin(submission, parent)
            with _stopped_together(child):
                await child.receipt.wait()
        elif found.run.state in OVER or parent is None:
            return run_of(found)
        else:
            child = self._open_runs.find(found.run.id) or await self._open_runs.adopt(found, parent)
        await self._end_of(child, work)
        taken_over = await self._parts.store.load(child.row.id) if child.lost else None
        return run_of(taken_over or child.rows.snapshot())

    async def _begin(self, submission: Submission, parent: Runner | None) -> Runner:
        earlier = None if parent is None else await self._earlier(parent, submission)
        if parent is None or earlier is None:
            return self._open_runs.begin(submission)
        child, decided = earlier
        clock = self._parts.clock
        left = await doubtful(child, self._parts.methods)
        unknown: dict[str, Decision] = dict.fromkeys(unknown_keys(left.tasks), "rerun") if decided else {}
        new, rows, events = resumed_run(left, Resumption(unknown=unknown), clock.now(), randomness.token_hex(8))
        row = row_of(submission, parent.row, clock, new.boot)
        row = row._replace(id=new.id, resumed_from=new.resumed_from)
        return await self._open_runs.resume(row, rows, events, parent)

    async def _earlier(self, parent: Runner, submission: Submission) -> tuple[Snapshot, bool] | None:
        """The unfinished child of a run that the parent goes on from, and whether its task was decided to run again."""
        task, old_id = submission.parent_task or "", parent.row.resumed_from
        for _ in range(_GENERATIONS):
            old = None if old_id is None else await self._parts.store.load(old_id)
            row = None if old is None else old.tasks.get(maker_of(task))
            if old is None or (row is not None and row.state == "completed"):
                return None
            child = await self._unfinished_child(old.run.id, submission)
            if child is not None:
                return child, row is not None and row.state in self._asked_about(parent, maker_of(task))
            old_id = old.run.resumed_from
        return None

    def _asked_about(self, parent: Runner, task_id: str) -> tuple[str, ...]:
        """The states of a task of the old run in which somebody was asked what became of it."""
        task = next((task for task in parent.row.workflow.tasks if task.id == task_of(task_id)), None)
        return ("unknown",) if task is not None and task.retry_on_crash else ("unknown", "cancelled")

    async def _unfinished_child(self, run_id: str, submission: Submission) -> Snapshot | None:
        wanted = digest_of(submission).partition(".")[0]
        for head in await self._children(run_id):
            if head.parent_task == submission.parent_task and (head.digest or "").partition(".")[0] == wanted:
                return await self._parts.store.load(head.id) if head.state in ("failed", "cancelled") else None
        return None

    async def cancel_children(self, runner: Runner) -> None:
        """End all runs that the tasks of a run have started."""
        for run_id in list(runner.children):
            child = self._open_runs.find(run_id)
            if child is not None:
                child.close("cancelled", _STOPPED)
                await self.cancel_children(child)
                await child.bell.silence()

    def forsake(self, run_id: str) -> None:
        """End the children of a run that is over, beside it."""
        self._parts.crew.give_alone(_Forsaken(self, run_id))

    async def close(self, claimed: Snapshot, failure: Failure, state: RunState = "cancelled") -> None:
        """End a run that this process has claimed and does not carry out, with its children."""
        run, parts = claimed.run, self._parts
        begun = await settled(claimed, parts.methods, parts.clock)
        end = closing(run, begun.rows.values(), state, failure, parts.clock.now())
        tasks, events = [*begun.changed, *end.tasks], [*begun.events, *end.events]
        (outcome,) = await parts.store.commit([Change(run.id, run.epoch, tasks, events, end.run)])
        if isinstance(outcome, GleitzeitError):
            raise outcome
        self._changed.ring(run.id)
        await self.close_children(run.id)

    async def claimed_with(self, claimed: Snapshot) -> list[Snapshot]:
        """A run that this process has claimed, and its descendants that are not over."""
        found = [claimed]
        for one in found:
            for head in await self._children(one.run.id):
                child = await self._parts.store.load(head.id)
                if child is not None and child.run.state not in OVER:
                    found.append(child)
        return found

    async def close_children(self, run_id: str) -> None:
        """End all children of a run that were claimed with it, and that nobody carries out."""
        for head in await self._children(run_id):
            snapshot = await self._parts.store.load(head.id)
            if snapshot is not None and snapshot.run.state not in OVER and self._open_runs.find(head.id) is None:
                await self.close(snapshot, _STOPPED)

    async def _end_of(self, child: Runner, work: Work | None) -> None:
        async with slot_lent(work, self._parts.slots):
            with _stopped_together(child):
                await child.bell.silence()

    async def _found(self, parent: Runner, submission: Submission) -> Snapshot | None:
        """The child that the same attempt has started before it was cut off, whatever became of it."""
        wanted = digest_of(submission)
        for head in await self._children(parent.row.id):
            if head.parent_task == submission.parent_task and head.digest == wanted:
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


@contextmanager
def _stopped_together(child: Runner) -> Generator[None]:
    """End a child where the task that waits for it is stopped meanwhile."""
    try:
        yield
    except BaseException:
        child.close("cancelled", Failure("cancelled", "the task that started it was stopped"))
        raise


class _Forsaken:
    """Ends the children of a run that is over."""

    def __init__(self, family: Family, run_id: str) -> None:
        self._family = family
        self._run_id = run_id

    async def run(self) -> bool:
        """End them, as soon as that can be written."""
        pause = _FIRST_PAUSE
        while True:
            try:
                await self._family.close_children(self._run_id)
            except StoreError as error:
                logger.warning("the children of run %s can't be ended yet: %s", self._run_id, error)
                await anyio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except GleitzeitError as error:  # they are another process's by now
                logger.warning("the children of run %s could not be ended: %s", self._run_id, error)
                return True
            else:
                return True
