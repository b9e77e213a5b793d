"""`LocalEngine`: carries out runs in this process, on whatever store it is given."""

from __future__ import annotations

import secrets as randomness
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import anyio

from gleitzeit.audit.base import Audit
from gleitzeit.audit.unwatched import UNWATCHED
from gleitzeit.core.errors import ConflictError
from gleitzeit.core.models import OVER, Event, Failure, Run, TaskResult, Workflow
from gleitzeit.core.shares import Room
from gleitzeit.engine.base import Engine, Reply, Resumption, RunList, Submission
from gleitzeit.engine.bell import Bells
from gleitzeit.engine.evaluator import Evaluator
from gleitzeit.engine.local.alarms import Alarms
from gleitzeit.engine.local.asking import Asking
from gleitzeit.engine.local.clock import Clock
from gleitzeit.engine.local.conductor import Conductor
from gleitzeit.engine.local.context import Asks, EngineParts, Methods, Policy
from gleitzeit.engine.local.crew import Crew
from gleitzeit.engine.local.family import Family
from gleitzeit.engine.local.inquiry import Inquiry
from gleitzeit.engine.local.interrupted import doubtful, settled
from gleitzeit.engine.local.lookout import Lookout
from gleitzeit.engine.local.open_runs import OPEN_RUNS, OpenRuns
from gleitzeit.engine.local.post import Post
from gleitzeit.engine.local.recovery import Recovery
from gleitzeit.engine.local.results import RESULT_BYTES, is_text
from gleitzeit.engine.local.resuming import resumed_run
from gleitzeit.engine.local.retention import Retention
from gleitzeit.engine.local.sight import Sight
from gleitzeit.engine.local.slots import Slots
from gleitzeit.engine.local.submissions import digest_of, record, row_of, with_key
from gleitzeit.engine.local.tenure import Tenure
from gleitzeit.engine.local.views import list_of, results_of, run_of
from gleitzeit.store.base import Owner, Request, Snapshot, Store
from gleitzeit.store.memory import MemoryStore

_LETTING_GO = 1.0
_SOON = 600.0
_MOST_RUNS = 1_000
_CANCELLING = 10.0
_WAIT = "wait for it, or cancel it first"


class LocalEngine(Engine):
    """An async context manager that owns every task it starts. Leaving it parks its runs: any process may go on.

    It opens and closes its store, and takes up the runs that nobody carries out any more, unless `recover` is false.
    `max_parallel_tasks` limits the tasks of all runs together; one that waits for a child run does not count. At most
    `open_runs` are carried out at once. Of the runs that are over it forgets those older than `keep_days`, and all
    but the last `keep_runs`. It checks no document: that is done before. `elsewhere` is called soon after another
    process has written something.
    """

    _open = False

    def __init__(
        self,
        registry: Methods,
        store: Store | None = None,
        *,
        max_parallel_tasks: int | None = None,
        open_runs: Room = OPEN_RUNS,
        keep_days: float | None = None,
        keep_runs: int | None = None,
        recover: bool = True,
        secrets: Mapping[str, str] | None = None,
        policy: Policy | None = None,
        asks: Asks | None = None,
        audit: Audit = UNWATCHED,
        result_bytes: int = RESULT_BYTES,
        clock: Clock | None = None,
        evaluator: Evaluator | None = None,
        owner: Owner | None = None,
        elsewhere: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store or MemoryStore()
        clock = clock or Clock()
        self._owner = owner or Owner(randomness.token_hex(8))
        self._changed = Bells()
        self._parts = EngineParts(
            methods=registry,
            store=self._store,
            evaluator=evaluator or Evaluator(),
            clock=clock,
            tenure=Tenure(self._store, clock),
            alarms=Alarms(),
            slots=Slots(max_parallel_tasks),
            crew=Crew(),
            secrets=secrets or {},
            policy=policy,
            asks=asks,
            audit=audit,
            result_bytes=result_bytes,
            child=self._child,
            ask=self._ask,
        )
        self._conductor = Conductor(self._store)
        self._open_runs = OpenRuns(self._parts, self._conductor, self._changed, self._forsaken, self._owner, open_runs)
        self._family = Family(self._parts, self._open_runs, self._changed)
        self._lookout = Lookout(self._parts, self._open_runs, self._changed, elsewhere)
        self._sight = Sight(self._store, self._open_runs, self._lookout.find, self._changed, lambda: self._open)
        self._asking = Asking(self._parts, self._open_runs, self._lookout.listen)
        self._post = Post(self._parts, self._open_runs, self._family, self._changed)
        self._recovery = Recovery(self._parts, self._open_runs, self._family, claims=recover)
        self._retention = Retention(self._store, self._parts.clock, keep_days, keep_runs)

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._store.open(self._owner, self._lookout.look)
            stack.push_async_callback(self._store.close)
            stack.push_async_callback(self._parts.evaluator.close)
            self._group = await stack.enter_async_context(anyio.create_task_group())
            self._stack = stack.pop_all()
        parts = self._parts
        parts.crew.open()
        for keep in (
            parts.alarms.keep,
            self._conductor.conduct,
            self._lookout.keep,
            self._recovery.keep,
            self._retention.keep,
        ):
            self._group.start_soon(keep)
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open = False
        self._changed.ring_all()
        with anyio.CancelScope(shield=True):
            self._open_runs.park()
            with anyio.move_on_after(_LETTING_GO):  # what a task still does should be over before another takes it up
                await self._parts.crew.resting()
            self._open_runs.release()
            with anyio.move_on_after(_LETTING_GO):
                await self._conductor.finish()
            await self._parts.crew.close()
        self._group.cancel_scope.cancel()
        await self._stack.aclose()  # the body's own error stays out of it: a task group would wrap it

    def check_ready(self) -> None:
        """Raise an error where no run would be accepted now."""
        self._check_open()
        self._conductor.check_writing()
        self._open_runs.check_room()

    async def submit(self, submission: Submission) -> Run:
        """Accept a run, record it, and start it. A child run belongs to its parent's caller."""
        self._check_open()
        runner = self._open_runs.begin(submission)
        try:
            await runner.receipt.wait()
        except ConflictError as error:
            return run_of(await self._earlier(error, submission))
        except anyio.get_cancelled_exc_class():
            if submission.idempotency_key is None:  # nobody has heard of it, or ever will
                runner.close("cancelled", Failure("cancelled", "whoever submitted it did not wait for it"))
            raise
        return run_of(runner.rows.snapshot())

    async def record(self, submission: Submission) -> Run:
        """Accept a run and leave it to any process that takes it up, this one too where it does that."""
        self._check_open()
        try:
            row = row_of(submission, None, self._parts.clock, self._owner.boot)
            await record(row, self._store)
        except ConflictError as error:
            return run_of(await self._earlier(error, submission))
        self._recovery.look()
        return await self.get(row.id)

    async def get(self, run_id: str, *, caller: str | None = None) -> Run:
        """The run as it stands now."""
        return run_of(await self._sight.load(run_id, caller))

    async def results(self, run_id: str, *, caller: str | None = None) -> Mapping[str, TaskResult]:
        """What became of each task, and of each item and call that has begun."""
        return results_of(await self._sight.load(run_id, caller))

    async def wait(self, run_id: str, timeout: float | None = None, *, caller: str | None = None) -> Run:
        """The run once it is over or waits for somebody, or as it stands after `timeout` seconds."""
        await self._sight.load(run_id, caller)
        return run_of(await self._sight.rest_of(run_id, timeout))

    async def list(
        self,
        *,
        caller: str | None = None,
        status: str | None = None,
        name: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> RunList:
        """Runs that fit, newest first. Raises `ValidationError` for a cursor that it did not give."""
        if not is_text(f"{caller}{status}{name}{cursor}"):
            return RunList([])
        limit = max(1, min(limit, _MOST_RUNS))
        return list_of(await self._store.runs(caller=caller, state=status, name=name, limit=limit, cursor=cursor))

    async def cancel(self, run_id: str, reason: str = "", *, caller: str | None = None) -> Run:
        """Stop a run and its children, whichever process carries it out; one that is over stays as it is."""
        snapshot = await self._sight.load(run_id, caller)
        if snapshot.run.state in OVER:
            return run_of(snapshot)
        failure = Failure("cancelled", reason or "the run was cancelled")
        runner = self._open_runs.find(run_id)
        if runner is None:
            async with self._open_runs.claiming:
                runner = self._open_runs.find(run_id)
                claimed = None if runner is not None else await self._store.claim(run_id)
                if claimed is not None:
                    await self._family.close(claimed, failure)
                    return await self.get(run_id)
        if runner is None:
            return await self._request_cancel(run_id, failure)
        runner.close("cancelled", failure)
        await self._family.cancel_children(runner)
        await runner.bell.silence()
        return await self.get(run_id)

    async def resume(self, run_id: str, resumption: Resumption, *, caller: str | None = None) -> Run:
        """Take a run up again where it was left; a new run where it is over or waits."""
        self._check_open()
        snapshot = await self._sight.load(run_id, caller)
        if snapshot.run.state in OVER:
            return await self._begin_again(await doubtful(snapshot, self._parts.methods), resumption)
        async with self._open_runs.claiming:
            snapshot = await self._sight.load(run_id, caller)
            if self._open_runs.find(run_id) is not None:
                raise ConflictError(f"the run {run_id} is being carried out", hint=_WAIT)
            if snapshot.run.state not in (*OVER, "waiting") and resumption.plain:
                return await self._go_on(run_id)
            if snapshot.run.state not in OVER:
                return await self._close_and_begin_again(snapshot, resumption)
        return await self.resume(run_id, resumption, caller=caller)  # somebody has ended it meanwhile

    async def answer(self, run_id: str, question_id: str, reply: Reply, *, caller: str | None = None) -> Run:
        """Answer an open question of a run, whoever carries it out; the run as it stands then."""
        snapshot = await self._sight.load(run_id, caller)
        runner = self._open_runs.find(run_id)
        if runner is not None and runner.questions.is_known(question_id):
            await self._asking.answer(runner, question_id, reply)
            return run_of(runner.rows.snapshot())
        await self._post.deliver(snapshot, question_id, reply)
        self._recovery.look()
        return await self.get(run_id)

    async def document(self, run_id: str, *, caller: str | None = None) -> Workflow:
        """The document that the run was submitted with."""
        return (await self._sight.load(run_id, caller)).run.workflow

    def events(
        self, run_id: str, after: int = 0, *, caller: str | None = None, patient: bool = False
    ) -> AsyncIterator[Event]:
        """The run's events after `after`, until it is over or, unless `patient`, does nothing more by itself."""
        return self._sight.events(run_id, after, caller=caller, patient=patient)

    async def _child(self, submission: Submission) -> Run:
        self._check_open()
        return await self._family.child(submission)

    async def _ask(self, run_id: str, key: str, inquiry: Inquiry) -> dict[str, Any]:
        return await self._asking.ask(run_id, key, inquiry)

    def _forsaken(self, run_id: str) -> None:
        self._family.forsake(run_id)

    async def _earlier(self, error: ConflictError, submission: Submission) -> Snapshot:
        """The run that the same submission has led to before. Raises `error` where there is none."""
        run_id = error.details.get("run_id")
        if run_id is None or submission.idempotency_key is None:
            raise error
        earlier = await self._sight.load(run_id, None)
        if earlier.run.digest != digest_of(submission):
            raise error
        return earlier

    async def _go_on(self, run_id: str) -> Run:
        """Take up a run as it is that nobody carries out."""
        runner = await self._open_runs.adopt(await self._claim(run_id))
        return run_of(runner.rows.snapshot())

    async def _close_and_begin_again(self, snapshot: Snapshot, resumption: Resumption) -> Run:
        """End a run that waits, or that nobody carries out, and resume it by a new one.

        What speaks against that is found before anything is changed. Of several who want it at once one has it.
        """
        new_id = randomness.token_hex(8)
        resumed_run(await self._settled(snapshot), resumption, self._parts.clock.now(), new_id)
        self._open_runs.check_room(snapshot.run.caller)
        claimed = await self._claim(snapshot.run.id)
        left = await self._settled(claimed)
        reason = Failure("cancelled", f"it was resumed by the run {new_id}", details={"resumed_by": new_id})
        await self._family.close(claimed, reason)
        return await self._begin_again(left, resumption, new_id)

    async def _begin_again(self, snapshot: Snapshot, resumption: Resumption, new_id: str | None = None) -> Run:
        """Begin the run that goes on from another one; whoever asks for the same again soon gets the same run."""
        now, earlier = self._parts.clock.now(), ""
        while True:
            row, rows, events = resumed_run(snapshot, resumption, now, new_id or randomness.token_hex(8))
            runner = await self._open_runs.resume(with_key(row, resumption, earlier), rows, events)
            try:
                await runner.receipt.wait()
            except ConflictError as error:
                known = (
                    await self._sight.load(str(error.details["run_id"]), None) if "run_id" in error.details else None
                )
                if known is None or known.run.resumed_from != row.resumed_from:
                    raise
                if known.run.state not in OVER or known.run.created_at > now - _SOON:
                    return run_of(known)
                earlier = known.run.id  # that was another time: this one is meant
            else:
                return run_of(runner.rows.snapshot())

    async def _settled(self, snapshot: Snapshot) -> Snapshot:
        """The run with every task ended that was cut off and must not be repeated."""
        begun = await settled(snapshot, self._parts.methods, self._parts.clock)
        return snapshot._replace(tasks=begun.rows)

    async def _claim(self, run_id: str) -> Snapshot:
        claimed = await self._store.claim(run_id)
        if claimed is None:
            raise ConflictError(f"the run {run_id} is being carried out by another process, or over", hint=_WAIT)
        return claimed

    async def _request_cancel(self, run_id: str, failure: Failure) -> Run:
        """Have the process that carries a run out cancel it, and wait for that as long as it may take."""
        await self._store.request(Request(run_id, "cancel", {"reason": failure.message}))
        return run_of(await self._sight.rest_of(run_id, _CANCELLING, heeding=False))

    def _check_open(self) -> None:
        if not self._open:
            raise ConflictError("the engine is not running", hint="submit inside of `async with engine:`")
