"""`Runner`: one run as a machine of states. Told what became of its tasks, it says what to write and what to start."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from gleitzeit.core.errors import ConflictError, GleitzeitError, LeaseLostError, RunNotFoundError
from gleitzeit.core.models import OVER, Failure, RunState
from gleitzeit.engine.bell import Bell
from gleitzeit.engine.local.beside import Beside
from gleitzeit.engine.local.closing import closing
from gleitzeit.engine.local.conductor import Conductor
from gleitzeit.engine.local.context import Ending, EngineParts
from gleitzeit.engine.local.course import Stage
from gleitzeit.engine.local.deadline import Deadline
from gleitzeit.engine.local.draft import Author, Draft, Receipt
from gleitzeit.engine.local.failures import log_defect
from gleitzeit.engine.local.interrupted import Settled
from gleitzeit.engine.local.items import ItemResults
from gleitzeit.engine.local.live import Live, live
from gleitzeit.engine.local.open_questions import OpenQuestions
from gleitzeit.engine.local.outputs import Given, Outputs
from gleitzeit.engine.local.pause import Pause
from gleitzeit.engine.local.run_limit import RunLimit
from gleitzeit.engine.local.run_rows import RunRows
from gleitzeit.engine.local.secrets import RunSecrets
from gleitzeit.engine.local.tracing import begin_run_span, beneath
from gleitzeit.engine.local.work import Work
from gleitzeit.store.base import Change, Committed, EventDraft, RunRow, TaskRow


class Runner(Author, Stage):
    """One run while this process carries it out. `bell` falls silent once nothing more happens in it here.

    Nothing in it waits: `due` asks for its draft to be written, after which `written` starts what follows.
    """

    def __init__(
        self,
        rows: RunRows,
        parts: EngineParts,
        conductor: Conductor,
        retire: Callable[[Runner], None],
        parent: Runner | None = None,
        meta: Mapping[str, str] | None = None,
    ) -> None:
        row = rows.run
        self.rows = rows
        self.span = begin_run_span(row.workflow.name, row.id, meta or {})
        self.meta: Mapping[str, str] = beneath(self.span, meta or {})
        self.bell = Bell()
        self.depth: int = 1 if parent is None else parent.depth + 1
        self.secrets: RunSecrets = RunSecrets(parts.secrets, row.workflow, None if parent is None else parent.secrets)
        self.works: dict[str, Work] = {}
        self.children: set[str] = set()
        self.receipt = Receipt()
        self.questions = OpenQuestions()
        self.restored = False
        self.lost = False
        self._parts = parts
        self._conductor = conductor
        self._retire = retire
        self._draft = Draft()
        self._inbox: deque[Callable[[Live], None]] = deque()
        self._beside = Beside(parts.crew)
        self._closing: tuple[RunState, Failure] | None = None
        self._parked = False
        self._released = False
        self._limit: RunLimit | None = None
        traced = self.span is not None
        self._live: Live | None = live(
            rows, parts, self.secrets, self, self.record, self._due, self.meta, traced=traced
        )

    @property
    def row(self) -> RunRow:
        """The run's own row, as it is stored."""
        return self.rows.run

    @property
    def over(self) -> bool:
        """Whether it has nothing more to write."""
        return self._live is None

    @property
    def ending(self) -> bool:
        """Whether nothing new begins in it here."""
        return self._closing is not None or self._parked or self.over

    @property
    def refusable(self) -> bool:
        """Whether it is a new run that somebody waits for who can submit it again; a task can't."""
        return self.unwritten and self.row.parent_id is None

    @property
    def unwritten(self) -> bool:
        """Whether it is a new run that has not been accepted, or refused, yet."""
        return not self.restored and not self.receipt.settled

    @property
    def deadline(self) -> Deadline | None:
        """When it has to be over, if it is limited."""
        return None if self._limit is None else self._limit.deadline

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
        if self.receipt.patient:
            self._conductor.begin(self)
        else:
            self._due()

    def restore(self, begun: Settled, items: Mapping[str, ItemResults]) -> None:
        """Go on with a run that another process, or an earlier one, has left."""
        self.restored = True
        self._draft.tasks += begun.changed
        self._draft.events += [EventDraft("run.recovered", self._parts.clock.now()), *begun.events]
        if self.row.state != "running":
            self._draft.run = self.row._replace(state="running")
        self._open(begun.rows, items)
        self._due()

    def ended(self, work: Work, ending: Ending) -> None:
        """An attempt of it is over."""
        if work.stopped:
            return
        self._inbox.append(partial(self._take_in, work, ending))
        self._due()

    def let_go(self, work: Work) -> None:
        """An attempt of it needs its slot no more."""
        if self.works.get(work.key) is work:
            del self.works[work.key]
        if work.slot:
            work.slot = False
            self._parts.slots.release(self.row.caller)

    async def record(self, tasks: Sequence[TaskRow], events: Sequence[EventDraft]) -> None:
        """Return once rows and events are durable. Raises `ConflictError` where the run is another process's by now."""
        if self._live is None or self.ending:
            raise ConflictError(f"the run {self.row.id} is over")
        receipt = Receipt()
        self._draft.tasks += tasks
        for row in tasks:
            if row.state in OVER:
                self._draft.events += self._live.progress.of(row.key)
        self._draft.events += events
        self._draft.receipts.append(receipt)
        self._due()
        await receipt.wait()

    def note_questions(self, task_id: str, events: Sequence[EventDraft]) -> Receipt | None:
        """Write which questions a task, or an item, waits for now; nothing where its attempt is over."""
        work = self.works.get(task_id)
        if self.ending or work is None or work.is_cancelled():
            return None
        receipt = Receipt()
        self._draft.tasks.append(work.attempt.asking(self.questions.of(task_id)))
        self._draft.events += events
        self._draft.receipts.append(receipt)
        self._due()
        return receipt

    def close(self, state: RunState, failure: Failure) -> None:
        """End it: what runs is stopped at once, and recorded as cancelled without waiting for that."""
        if not self.ending:
            self._closing = (state, failure)
            self._stop()
            self._due()

    def park(self) -> None:
        """Begin nothing more in it here, and write where it stands, so that any process may carry it on."""
        self._parked = True
        for work in self.works.values():
            self._put_back(work)

    def halt(self) -> None:
        """Stop what it does here, now that it is parked."""
        self._stop()
        self._due()

    def release(self) -> None:
        """Give it up, now that all that it was doing has stopped."""
        self._released = True
        self._due()

    def lose(self) -> None:
        """Stop it here, for another process carries it out by now."""
        self.lost = True
        self._leave(LeaseLostError(f"the run {self.row.id} is carried out by another process by now"))

    def limit(self, seconds: float) -> None:
        """End it as failed if it is not over in `seconds`."""
        limit = self.row.workflow.settings.timeout
        failure = Failure("timeout", f"the run took longer than {limit:g} s (settings.timeout)")
        end = partial(self.close, "failed", failure)
        self._limit = None if self.ending else RunLimit(self._parts.alarms, seconds, end)

    # What it writes

    def go_ahead(self) -> bool:
        """Begin what need not be written first; whether all that is to be written can wait a little.

        A run that was found again never does: its tasks may be what has ended the process before.
        """
        if self.restored or self._live is None:
            return False
        self._enter_all(self._live)
        draft = self._draft
        if self.ending or not draft.can_wait:
            return False
        starts, draft.starts = draft.starts, []
        for work in starts:
            self._give(work)
        return True

    def draft(self) -> tuple[Draft, Change] | None:
        """What is to be written now, if anything."""
        here = self._live
        if here is None:
            return None
        self._enter_all(here)
        draft, self._draft = self._draft, Draft()
        if draft.empty:
            return None
        return draft, draft.change(self.row.id, self.row.epoch)

    def written(self, draft: Draft, change: Change, outcome: Committed) -> None:
        """Start what follows from what is written now; or stop, where it was refused."""
        if isinstance(outcome, GleitzeitError):
            self._refused(draft, outcome)
            return
        self.rows.apply(change, outcome)
        self.bell.call(bool(self.rows.waiting))
        for receipt in draft.receipts:
            receipt.settle()
        for work in draft.starts:
            self._give(work)
        if draft.release or self.row.state != "running":
            self._fall_silent()
        else:
            self.bell.ring()

    def _refused(self, draft: Draft, error: GleitzeitError) -> None:
        draft.refuse(error)
        for work in draft.starts:
            self.let_go(work)
        if draft.new:
            self._leave(error)
        elif isinstance(error, LeaseLostError | RunNotFoundError):
            self.lose()
        elif self._closing is not None:  # not even its end can be written
            self._fall_silent()
        else:
            self.close("failed", Failure.of(error))

    def _enter_all(self, live: Live) -> None:
        try:
            self._complete(live)
        except Exception as error:  # noqa: BLE001 - a defect of ours: this run fails, the others go on
            self._fail(error)
            self._complete(live)

    def _complete(self, live: Live) -> None:
        """Enter all that has happened into the draft."""
        while self._inbox:
            self._inbox.popleft()(live)
        self._draft.events += live.progress.take()
        if self._closing is not None and not self._draft.closed:
            self._write_closing(*self._closing)
        elif self._released:
            self._draft.release = True

    def _write_closing(self, state: RunState, failure: Failure) -> None:
        draft = self._draft
        end = closing(self.row, self.rows.begun(draft.tasks), state, failure, self._parts.clock.now())
        draft.tasks += end.tasks
        draft.events += end.events
        draft.run, draft.closed = end.run, True

    def _open(self, rows: Mapping[str, TaskRow], items: Mapping[str, ItemResults]) -> None:
        assert self._live is not None
        try:
            self._live.course.open(rows, items, self._draft)
        except GleitzeitError as error:
            self.close("failed", Failure.of(error))

    def _take_in(self, work: Work, ending: Ending, live: Live) -> None:
        draft = self._draft
        draft.events += live.progress.of(work.key)
        draft.end(work, ending)
        if not self.ending:
            live.course.after(work, ending, draft)

    def _end(self, given: Given, live: Live) -> None:
        if not self.ending:
            live.course.end(given, self._draft)

    # What it starts

    def begin_work(self, work: Work) -> None:
        """Have a work begin as soon as there is a slot; a foreach needs none, for its items have theirs."""
        if work.slotless:
            self._draft.start(work, self._parts.clock)
        elif self._parts.slots.take(self.row.caller, self.row.id, partial(self._granted, work)):
            work.slot = True
            self._draft.start(work, self._parts.clock)

    def pause_work(self, work: Work, seconds: float) -> None:
        """Have the attempt after `work` begin in `seconds`."""
        self._beside.begin(Pause(self._parts.clock, seconds, partial(self._paused, work)))

    def compute_outputs(self) -> None:
        """Have the outputs computed."""
        assert self._live is not None
        self._beside.begin(Outputs(self._live.context, self._computed))

    def _paused(self, work: Work, pause: Pause) -> None:
        self._beside.done(pause)
        if not self.ending:
            self.begin_work(work.following())
            self._due()

    def _computed(self, outputs: Outputs, given: Given) -> None:
        self._beside.done(outputs)
        self._inbox.append(partial(self._end, given))
        self._due()

    def _granted(self, work: Work) -> bool:
        if self.ending:
            return False
        work.slot = True
        self._draft.start(work, self._parts.clock)
        self._due()
        return True

    def _give(self, work: Work) -> None:
        if self.ending:
            self.let_go(work)
            self._put_back(work)
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
        if self._limit is not None:
            self._limit.turn_off()
        self.questions.withdraw()
        self._beside.stop()
        for work in list(self.works.values()):
            work.stop()
        for work in self._draft.starts:
            self.let_go(work)
            self._put_back(work)
        self._draft.starts.clear()

    def _put_back(self, work: Work) -> None:
        """Write where a work stands that goes on elsewhere, be it that it was only about to begin here."""
        if self._parked and not (self._closing or self.over) and work.certain:
            self._draft.tasks.append(work.attempt.parked(self.questions.of(work.key)))
            self._due()

    def _leave(self, error: GleitzeitError) -> None:
        """Stop it here, and write nothing more of it because of `error`."""
        self._stop()
        self._draft.refuse(error)
        self._draft = Draft()
        self._fall_silent()

    def _fall_silent(self) -> None:
        if self.over:
            return
        if self._limit is not None:
            self._limit.turn_off()
        self._live = None
        self._retire(self)
        self.bell.fall_silent()
