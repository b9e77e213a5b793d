"""`LocalEngine`: carries out runs in this process, on whatever store it is given."""

from __future__ import annotations

import secrets as randomness
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import anyio

from gleitzeit.core.errors import ConflictError, LimitError, RunNotFoundError
from gleitzeit.core.models import OVER, Event, Failure, Run, Workflow
from gleitzeit.engine.base import Engine, RunList, Submission
from gleitzeit.engine.evaluator import Evaluator
from gleitzeit.engine.events import follow
from gleitzeit.engine.local.children import DEEPEST
from gleitzeit.engine.local.clock import Clock
from gleitzeit.engine.local.closing import closing
from gleitzeit.engine.local.context import EngineParts, Methods, Policy
from gleitzeit.engine.local.places import Place
from gleitzeit.engine.local.results import RESULT_BYTES, measured
from gleitzeit.engine.local.runner import Runner
from gleitzeit.engine.local.views import list_of, run_of
from gleitzeit.store.base import EventDraft, RunRow, Snapshot, Store
from gleitzeit.store.memory import MemoryStore


class LocalEngine(Engine):
    """An async context manager that owns every task it starts; leaving it cancels what still runs.

    It opens and closes its store. `max_parallel_tasks` limits the tasks of all runs together; a task that waits for
    its children does not count. It checks no document: that is done before.
    """

    def __init__(
        self,
        registry: Methods,
        store: Store | None = None,
        *,
        max_parallel_tasks: int | None = None,
        secrets: Mapping[str, str] | None = None,
        policy: Policy | None = None,
        result_bytes: int = RESULT_BYTES,
        clock: Clock | None = None,
        evaluator: Evaluator | None = None,
    ) -> None:
        self._store = store or MemoryStore()
        self._clock = clock or Clock()
        self._evaluator = evaluator or Evaluator()
        self._runners: dict[str, Runner] = {}
        self._children: dict[str, set[str]] = {}
        self._open = False
        self._parts = EngineParts(
            methods=registry,
            store=self._store,
            evaluator=self._evaluator,
            clock=self._clock,
            secrets=secrets or {},
            policy=policy,
            result_bytes=result_bytes,
            places=None if max_parallel_tasks is None else anyio.Semaphore(max_parallel_tasks),
            child=self._child,
        )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await self._store.open()
            stack.push_async_callback(self._store.close)
            stack.push_async_callback(self._evaluator.close)
            self._group = await stack.enter_async_context(anyio.create_task_group())
            self._stack = stack.pop_all()
        self._open = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._open = False
        self._group.cancel_scope.cancel()
        await self._stack.aclose()  # the body's own error stays out of it: a task group would wrap it

    async def submit(self, submission: Submission) -> Run:
        """Accept a run, record it, and start it. A child run belongs to its parent's caller."""
        if not self._open:
            raise ConflictError("the engine is not running", hint="submit inside of `async with engine:`")
        parent = self._parent(submission)
        row = self._row(submission, parent)
        runner = Runner(row, self._parts, parent)
        with anyio.CancelScope(shield=True):  # a run that is recorded must also be started
            await self._store.create(
                row, [EventDraft("run.submitted", row.created_at, None, {"name": row.workflow.name})]
            )
            self._runners[row.id] = runner
            if row.parent_id is not None:
                self._children.setdefault(row.parent_id, set()).add(row.id)
            self._group.start_soon(self._run, runner)
        return await self.get(row.id)

    async def get(self, run_id: str, *, caller: str | None = None) -> Run:
        """The run as it stands now."""
        return run_of(await self._load(run_id, caller))

    async def wait(self, run_id: str, timeout: float | None = None, *, caller: str | None = None) -> Run:
        """The run once it is over or does nothing more by itself, or as it stands after `timeout` seconds."""
        await self._load(run_id, caller)
        runner = self._runners.get(run_id)
        if runner is not None:
            with anyio.move_on_after(timeout):
                await runner.bell.silence()
        return await self.get(run_id, caller=caller)

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
        return list_of(await self._store.runs(caller=caller, state=status, name=name, limit=limit, cursor=cursor))

    async def cancel(self, run_id: str, reason: str = "", *, caller: str | None = None) -> Run:
        """Stop a run and its children; one that is over stays as it is."""
        snapshot = await self._load(run_id, caller)
        failure = Failure("cancelled", reason or "the run was cancelled")
        runner = self._runners.get(run_id)
        if runner is not None:
            await runner.close("cancelled", failure)
        elif snapshot.run.state not in OVER:
            end = closing(snapshot.run, snapshot.tasks.values(), "cancelled", failure, self._clock.now())
            await self._store.commit(run_id, end.run.epoch, tasks=end.tasks, events=end.events, run=end.run)
        for child in list(self._children.get(run_id, ())):
            await self.cancel(child, "its parent run was cancelled")
        return await self.get(run_id)

    async def document(self, run_id: str, *, caller: str | None = None) -> Workflow:
        """The document that the run was submitted with."""
        return (await self._load(run_id, caller)).run.workflow

    async def events(self, run_id: str, after: int = 0, *, caller: str | None = None) -> AsyncIterator[Event]:
        """The run's events after `after`, until it is over or does nothing more by itself, and all are told."""
        await self._load(run_id, caller)
        runner = self._runners.get(run_id)
        async for event in follow(self._store, runner.bell if runner else None, run_id, after):
            yield event

    async def _child(self, submission: Submission) -> Run:
        """The run that a task starts, once it is over; cancelling the wait cancels it."""
        run_id = (await self.submit(submission)).id
        runner = self._runners.get(run_id)
        if runner is None:
            return await self.get(run_id)
        place = self._place(runner.row)
        if place is not None:
            place.leave()
        try:
            await runner.bell.silence()
        except BaseException:
            with anyio.CancelScope(shield=True):
                await self.cancel(run_id, "the task that started it was stopped")
            raise
        if place is not None:
            await place.come_back()
        return await self.get(run_id)

    async def _run(self, runner: Runner) -> None:
        row = runner.row
        try:
            await runner.run()
        finally:
            self._runners.pop(row.id, None)
            if row.parent_id is not None:
                siblings = self._children.get(row.parent_id, set())
                siblings.discard(row.id)
                if not siblings:
                    self._children.pop(row.parent_id, None)

    async def _load(self, run_id: str, caller: str | None) -> Snapshot:
        snapshot = await self._store.load(run_id)
        if snapshot is None or (caller is not None and snapshot.run.caller != caller):
            raise RunNotFoundError(f'there is no run "{run_id}"')
        return snapshot

    def _parent(self, submission: Submission) -> Runner | None:
        if submission.parent_id is None:
            return None
        parent = self._runners.get(submission.parent_id)
        if parent is None:
            raise ConflictError(f"the run {submission.parent_id} is over and starts no more children")
        if parent.depth > DEEPEST:
            raise LimitError(
                f"workflows may start each other {DEEPEST} levels deep", hint="does one of them start itself?"
            )
        return parent

    def _row(self, submission: Submission, parent: Runner | None) -> RunRow:
        roots = tuple(str(root) for root in submission.roots)
        return RunRow(
            id=submission.run_id or randomness.token_hex(8),
            caller=submission.caller if parent is None else parent.row.caller,
            workflow=submission.workflow,
            inputs=measured(submission.inputs)[0],
            state="running",
            created_at=self._clock.now(),
            parent_id=submission.parent_id,
            parent_task=submission.parent_task,
            roots=roots or (() if parent is None else parent.row.roots),
        )

    def _place(self, row: RunRow) -> Place | None:
        parent = self._runners.get(row.parent_id or "")
        return None if parent is None else parent.places.get(row.parent_task or "")
