"""`Runner`: one run as a machine of states. Told what became of its tasks, it says what to write and what to start."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from gleitzeit.core.errors import ConflictError, GleitzeitError, LeaseLostError, RunNotFoundError
from gleitzeit.core.models import OVER, Failure, RunState
from gleitzeit.engine.events import Bell
from gleitzeit.engine.local.alarms import Alarm
from gleitzeit.engine.local.closing import closing
from gleitzeit.engine.local.conductor import Conductor
from gleitzeit.engine.local.context import Ending, EngineParts, RunContext
from gleitzeit.engine.local.course import Course, Stage
from gleitzeit.engine.local.draft import Author, Draft, Receipt
from gleitzeit.engine.local.failures import log_defect
from gleitzeit.engine.local.items import ItemResults
from gleitzeit.engine.local.ledger import Ledger
from gleitzeit.engine.local.outputs import Given, Outputs
from gleitzeit.engine.local.pause import Pause
from gleitzeit.engine.local.progress import Progress
from gleitzeit.engine.local.restoring import Restoration
from gleitzeit.engine.local.secrets import RunSecrets
from gleitzeit.engine.local.work import Work
from gleitzeit.store.base import Change, Committed, EventDraft, RunRow, TaskRow


class Runner(Author, Stage):
    """One run while this process carries it out. `bell` falls silent once nothing more happens in it here.

    Nothing in it waits: `due` asks for its draft to be written, after which `written` starts what follows.
    """

    def __init__(
        self,
        ledger: Ledger,
        parts: EngineParts,
        conductor: Conductor,
        retire: Callable[[Runner], None],
        parent: Runner | None = None,
    ) -> None:
        row = ledger.run
        self.ledger = ledger
        self.bell = Bell()
        self.depth: int = 1 if parent is None else parent.depth + 1
        self.secrets: RunSecrets = RunSecrets(parts.secrets, row.workflow, None if parent is None else parent.secrets)
        self.works: dict[str, Work] = {}
        self.children: set[str] = set()
        self.receipt = Receipt()
        self.restored = False
        self.lost = False
        self._parts = parts
        self._conductor = conductor
        self._retire = partial(retire, self)
        self._progress = Progress(parts.alarms, self._due)
        self._draft = Draft()
        self._inbox: deque[Callable[[], None]] = deque()
        self._beside: set[Pause | Outputs] = set()
        self._closing: tuple[RunState, Failure] | None = None
        self._parked = False
        self._alarm: Alarm | None = None
        results: dict[str, Any] = {}
        self._context = RunContext(
            run=row,
            roots=tuple(Path(root) for root in row.roots),
            secrets=self.secrets,
            evaluator=parts.evaluator.for_run(),
            results=results,
            parts=parts,
            record=self.record,
            tell=self._progress.tell,
            calls=ledger.calls,
        )
        self._course = Course(self._context, results, self)

    @property
    def row(self) -> RunRow:
        """The run's own row, as it is stored."""
        return self.ledger.run

    @property
    def over(self) -> bool:
        """Whether it has nothing more to write."""
        return self.bell.silent

    @property
    def _ending(self) -> bool:
        """Whether nothing new begins in it here."""
        return self._closing is not None or self._parked or self.over

    @property
    def unwritten(self) -> bool:
        """Whether it is a new run that has not been accepted, or refused, yet."""
        return not self.restored and not self.receipt.settled

    def _due(self) -> None:
        self._conductor.due(self)

    # What it is told

    def begin(self, rows: Sequence[TaskRow], events: Sequence[EventDraft], items: Mapping[str, ItemResults]) -> None:
        """Begin a new run, with the rows of tasks that are over already; `receipt` says whether it is accepted."""
        draft = self._draft
        draft.new, draft.run = True, self.row
        draft.tasks += rows
        draft.events += events
        draft.receipts.append(self.receipt)
        self._open({row.key: row for row in rows}, items)

    def restore(self, restoration: Restoration) -> None:
        """Go on with a run that another process, or an earlier one, has left."""
        self.restored = True
        self._draft.tasks += restoration.changed
        self._draft.events += restoration.events
        if self.row.state != "running":
            self._draft.run = replace(self.row, state="running")
        self._open(restoration.rows, restoration.items)

    def ended(self, work: Work, ending: Ending) -> None:
        """An attempt of it is over."""
        if work.stopped:
            return
        self._inbox.append(partial(self._take_in, work, ending))
        self._conductor.note(self)  # the member of the crew that has carried it out leads

    def let_go(self, work: Work) -> None:
        """An attempt of it needs its slot no more."""
        if self.works.get(work.key) is work:
            del self.works[work.key]
        if work.slot:
            work.slot = False
            self._parts.slots.release()

    async def record(self, tasks: Sequence[TaskRow], events: Sequence[EventDraft]) -> None:
        """Return once rows and events are durable. Raises `ConflictError` where the run is another process's by now."""
        if self._ending:
            raise ConflictError(f"the run {self.row.id} is over")
        receipt = Receipt()
        self._draft.tasks += tasks
        for row in tasks:
            if row.state in OVER:
                self._draft.events += self._progress.of(row.key)
        self._draft.events += events
        self._draft.receipts.append(receipt)
        self._due()
        await receipt.wait()

    def close(self, state: RunState, failure: Failure) -> None:
        """End it: what runs is stopped at once, and recorded as cancelled without waiting for that."""
        if not self._ending:
            self._closing = (state, failure)
            self._stop()
            self._due()

    def park(self) -> None:
        """Stop it here, so that any process may carry it on."""
        self._draft.tasks += [work.attempt.parked() for work in self.works.values() if work.certain]
        self._parked = True
        self._stop()
        self._due()

    def lose(self) -> None:
        """Stop it here, for another process carries it out by now."""
        self.lost = True
        self._stop()
        for receipt in self._draft.receipts:
            receipt.settle(LeaseLostError(f"the run {self.row.id} is carried out by another process by now"))
        self._draft = Draft()
        self._fall_silent()

    # What it writes

    def draft(self) -> tuple[Draft, Change] | None:
        """What is to be written now, if anything."""
        if self.over:
            return None
        try:
            self._complete()
        except Exception as error:  # noqa: BLE001 - a defect of ours: this run fails, the others go on
            self._fail(error)
            self._complete()
        draft, self._draft = self._draft, Draft()
        if draft.empty:
            return None
        return draft, draft.change(self.row.id, self.row.epoch)

    def written(self, draft: Draft, change: Change, outcome: Committed) -> None:
        """Start what follows from what is written now; or stop, where it was refused."""
        if isinstance(outcome, GleitzeitError):
            self._refused(draft, outcome)
            return
        self.ledger.apply(change, outcome)
        for receipt in draft.receipts:
            receipt.settle()
        for work in draft.starts:
            self._give(work)
        if draft.release or self.row.state != "running":
            self._fall_silent()
        else:
            self.bell.ring()

    def _refused(self, draft: Draft, error: GleitzeitError) -> None:
        for receipt in draft.receipts:
            receipt.settle(error)
        for work in draft.starts:
            self.let_go(work)
        if draft.new or isinstance(error, LeaseLostError | RunNotFoundError):
            self.lose()
        elif self._closing is not None:  # not even its end can be written
            self._fall_silent()
        else:
            self.close("failed", Failure.of(error))

    def _complete(self) -> None:
        """Enter all that has happened into the draft."""
        while self._inbox:
            self._inbox.popleft()()
        self._draft.events += self._progress.take()
        if self._closing is not None:
            self._write_closing(*self._closing)
        elif self._parked:
            self._draft.release = True

    def _write_closing(self, state: RunState, failure: Failure) -> None:
        draft = self._draft
        end = closing(self.row, self.ledger.begun(draft.tasks), state, failure, self._parts.clock.now())
        draft.tasks += end.tasks
        draft.events += end.events
        draft.run = end.run

    def _open(self, rows: Mapping[str, TaskRow], items: Mapping[str, ItemResults]) -> None:
        try:
            self._course.open(rows, items, self.ledger.tasks, self._draft)
        except GleitzeitError as error:
            self.close("failed", Failure.of(error))
        self._due()

    def limit(self, seconds: float) -> None:
        """End it as failed if it is not over in `seconds`."""
        limit = self.row.workflow.settings.timeout
        failure = Failure("timeout", f"the run took longer than {limit:g} s (settings.timeout)")
        self._alarm = self._parts.alarms.at(time.monotonic() + seconds, partial(self.close, "failed", failure))

    def _take_in(self, work: Work, ending: Ending) -> None:
        draft = self._draft
        draft.events += self._progress.of(work.key)
        draft.events += ending.events
        draft.tasks.append(ending.row)
        if not self._ending:
            self._course.after(work, ending, draft)

    def _end(self, given: Given) -> None:
        if not self._ending:
            self._course.end(given, self._draft)

    # What it starts

    def begin_work(self, work: Work) -> None:
        """Have a work begin as soon as there is a slot; a foreach needs none, for its items have theirs."""
        if work.slotless:
            self._enter(work)
        elif self._parts.slots.take(partial(self._granted, work)):
            work.slot = True
            self._enter(work)

    def pause_work(self, work: Work, seconds: float) -> None:
        """Have the attempt after `work` begin in `seconds`."""
        pause = Pause(self._parts.clock, seconds, lambda: self._paused(pause, work))
        self._beside.add(pause)
        self._parts.crew.give(pause)

    def compute_outputs(self) -> None:
        """Have the outputs computed."""
        outputs = Outputs(self._context, self._computed)
        self._beside.add(outputs)
        self._parts.crew.give(outputs)

    def _paused(self, pause: Pause, work: Work) -> None:
        self._beside.discard(pause)
        if not self._ending:
            self.begin_work(work.following())
            self._due()

    def _computed(self, given: Given) -> None:
        self._inbox.append(partial(self._end, given))
        self._due()

    def _granted(self, work: Work) -> bool:
        if self._ending:
            return False
        work.slot = True
        self._enter(work)
        self._due()
        return True

    def _enter(self, work: Work) -> None:
        """Enter that a work begins; it does once that is written."""
        draft = self._draft
        if work.certain:
            attempt = work.attempt
            if attempt.started_at is None:
                attempt.started_at = self._parts.clock.now()
                draft.events.append(EventDraft("task.started", attempt.started_at, work.key))
            draft.tasks.append(attempt.begun())
        draft.starts.append(work)

    def _give(self, work: Work) -> None:
        if self._ending:
            self.let_go(work)
            return
        self.works[work.key] = work
        self._parts.crew.give(work)

    # Stopping

    def _fail(self, error: Exception) -> None:
        log_defect(f"run {self.row.id} failed by a defect of the engine", error, self.secrets.redact)
        message = self.secrets.redact(f"the engine failed: {type(error).__name__}: {error}")
        self._closing = None
        self.close("failed", Failure("internal", message, "this is a defect; the log has its traceback"))

    def _stop(self) -> None:
        if self._alarm is not None:
            self._alarm.turn_off()
        for beside in list(self._beside):
            beside.stop()
        for work in list(self.works.values()):
            work.stop()
        for work in self._draft.starts:
            self.let_go(work)
        self._draft.starts.clear()

    def _fall_silent(self) -> None:
        if self.over:
            return
        if self._alarm is not None:
            self._alarm.turn_off()
        retire = self._retire
        # They refer to each other: cut, all of it is freed at once, where collecting it would cost half as much as a run.
        del self._course, self._context, self._progress, self._retire
        retire()
        self.bell.fall_silent()
