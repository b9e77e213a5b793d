"""`OpenRuns`: the runs that this process carries out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import anyio

from gleitzeit.core.errors import ConflictError, LimitError
from gleitzeit.core.keys import maker_of
from gleitzeit.core.models import OVER
from gleitzeit.core.shares import Room
from gleitzeit.engine.base import Submission
from gleitzeit.engine.bell import Bells
from gleitzeit.engine.local.children import DEEPEST
from gleitzeit.engine.local.conductor import Conductor
from gleitzeit.engine.local.context import EngineParts
from gleitzeit.engine.local.interrupted import settled
from gleitzeit.engine.local.items import ItemResults, items_of
from gleitzeit.engine.local.run_rows import RunRows
from gleitzeit.engine.local.runner import Runner
from gleitzeit.engine.local.standstill import stood_still
from gleitzeit.engine.local.submissions import row_of, submitted
from gleitzeit.engine.local.tracing import end_span
from gleitzeit.store.base import EventDraft, Owner, RunRow, Snapshot, TaskRow

OPEN_RUNS = Room(1_000)


class OpenRuns:
    """Makes runners, finds them by the id of their run, and forgets them when they have nothing more to do here.

    Whoever claims a run holds `claiming` until it is adopted or ended, for this process may want to do both.
    `changed` rings for a run that comes or goes, for whoever watches it while it is not here. `forsaken` is called with
    the id of a run that is over and may have children that none of its tasks has found again. No caller
    takes more of the `room` than its part.
    """

    def __init__(
        self,
        parts: EngineParts,
        conductor: Conductor,
        changed: Bells,
        forsaken: Callable[[str], None],
        owner: Owner,
        room: Room,
    ) -> None:
        self._parts = parts
        self._conductor = conductor
        self._changed = changed
        self._forsaken = forsaken
        self._boot = owner.boot
        self._room = room
        self._runners: dict[str, Runner] = {}
        self._roots = Counter[str]()
        self.closing = False
        self.claiming = anyio.Lock()

    def __iter__(self) -> Iterator[Runner]:
        return iter(list(self._runners.values()))

    @property
    def room(self) -> int:
        """How many more runs may be carried out here."""
        return max(0, self._room.most - self._roots.total())

    def find(self, run_id: str) -> Runner | None:
        """The runner of a run, where this process carries it out."""
        return self._runners.get(run_id)

    def begin(self, submission: Submission) -> Runner:
        """Begin a new run. Raises `LimitError` where there are too many, and `ConflictError` without its parent."""
        parent = self._parent(submission)
        row = row_of(submission, None if parent is None else parent.row, self._parts.clock, self._boot)
        runner = self._runner(RunRows(row), parent, submission.meta)
        # A key may be another run's already, and a parent's child is looked for after a crash.
        runner.receipt.patient = submission.patient and submission.idempotency_key is None and parent is None
        return self._begin(runner, (), [submitted(row)], {})

    async def resume(
        self, row: RunRow, rows: Sequence[TaskRow], events: Sequence[EventDraft], parent: Runner | None = None
    ) -> Runner:
        """Begin a run that goes on from what another one has done."""
        if parent is None:
            self.check_room(row.caller)
        parts = self._parts
        runner = self._runner(RunRows(row._replace(boot=self._boot, uptime=parts.clock.uptime())), parent)
        items = await items_of(row, {one.key: one for one in rows}, parts.evaluator, runner.secrets)
        return self._begin(runner, rows, events, items)

    async def adopt(self, snapshot: Snapshot, parent: Runner | None = None) -> Runner:
        """Go on with a run that this process has claimed."""
        parts = self._parts
        begun = await settled(snapshot, parts.methods, parts.clock)
        runner = self._runner(RunRows(snapshot.run, begun.stored(snapshot), snapshot.seq), parent)
        items = await items_of(snapshot.run, begun.rows, parts.evaluator, runner.secrets)
        limited = snapshot.run.workflow.settings.timeout is not None
        still = await stood_still(parts.store, snapshot.run.id, parts.clock.now()) if limited else 0.0
        self._enter(runner)
        runner.restore(begun, items)
        self._limit(runner, still)
        self._changed.ring(runner.row.id)
        return runner

    def park(self) -> None:
        """Stop all of them here, and take up no others."""
        self.closing = True
        for runner in self:
            runner.park()
        for runner in self:  # a question of one is open at others too, and has to stand in the rows of all
            runner.halt()

    def release(self) -> None:
        """Give all of them up, so that any process may carry them on."""
        for runner in self:
            runner.release()

    def _begin(
        self,
        runner: Runner,
        rows: Sequence[TaskRow],
        events: Sequence[EventDraft],
        items: Mapping[str, ItemResults],
    ) -> Runner:
        if runner.row.id in self._runners:
            raise ConflictError(f"the run {runner.row.id} exists already")
        self._enter(runner)
        runner.begin(rows, events, items)
        self._limit(runner)
        return runner

    def _runner(self, rows: RunRows, parent: Runner | None, meta: Mapping[str, str] | None = None) -> Runner:
        above = self._meta_above(rows.run, parent) if meta is None or parent is not None else meta
        return Runner(rows, self._parts, self._conductor, self._retire, parent, above)

    def _meta_above(self, row: RunRow, parent: Runner | None) -> Mapping[str, str]:
        """What came with the request that a run is carried out for: that of the task which has started it."""
        if parent is None:
            return {}
        work = parent.works.get(maker_of(row.parent_task or ""))
        return parent.meta if work is None else work.meta

    def _enter(self, runner: Runner) -> None:
        if self.closing:  # what is taken up that late would begin, and be cut off at once
            raise ConflictError("the engine is not running")
        row = runner.row
        self._runners[row.id] = runner
        if row.parent_id is None:
            self._roots[row.caller] += 1
        elif (parent := self._runners.get(row.parent_id)) is not None:
            parent.children.add(row.id)

    def _retire(self, runner: Runner) -> None:
        row = runner.row
        end_span(runner.span, None if row.failure is None else row.failure.code, row.state)
        if self._runners.get(row.id) is not runner:
            return
        del self._runners[row.id]
        if row.parent_id is None:
            self._roots[row.caller] -= 1
        elif (parent := self._runners.get(row.parent_id)) is not None:
            parent.children.discard(row.id)
        if runner.restored and runner.row.state in OVER and not runner.lost:
            self._forsaken(row.id)
        self._changed.ring(row.id)

    def _limit(self, runner: Runner, still: float = 0.0) -> None:
        """Have a run end in time, without the seconds in which it stood `still`.

        What has passed of it is told by the clock that nobody can set, if that still runs.
        """
        row, clock = runner.row, self._parts.clock
        limit = row.workflow.settings.timeout
        if limit is None:
            return
        passed = clock.uptime() - row.uptime if row.boot == self._boot else clock.now() - row.created_at
        runner.limit(min(limit, max(0.0, limit - max(0.0, passed - still))))

    def _parent(self, submission: Submission) -> Runner | None:
        if submission.parent_id is None:
            self.check_room(submission.caller)
            return None
        parent = self._runners.get(submission.parent_id)
        if parent is None:
            raise ConflictError(f"the run {submission.parent_id} is over and starts no more children")
        if parent.depth > DEEPEST:
            raise LimitError(
                f"workflows may start each other {DEEPEST} levels deep", hint="does one of them start itself?"
            )
        return parent

    def check_room(self, caller: str | None = None) -> None:
        """Raise `LimitError` where no more runs may be open, or no more of a caller's."""
        own, taken = self._roots[caller] if caller else 0, self._roots.total()
        if self._room.has(own, taken):
            return
        those = f"{taken:,} runs are open" if taken >= self._room.most else f"{own:,} of your runs are open"
        raise LimitError(
            f"{those}, and no more than {self._room.most:,} may be of all callers together (limits.open_runs)",
            hint="submit it again when some of them are over, or cancel one",
            retryable=True,
        )
