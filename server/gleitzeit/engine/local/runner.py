"""`Runner`: one run, carried to its end. Tasks that finish start their successors themselves; nothing polls."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, assert_never

import anyio

from gleitzeit.core.errors import GleitzeitError, LimitError, UnsupportedError
from gleitzeit.core.groups import only_error
from gleitzeit.core.models import OVER, Failure, RunState
from gleitzeit.core.plan import Plan
from gleitzeit.core.plan_actions import Action, Continue, Finish, Join, Outcome, OutcomeKind, Rest, Skip, Start
from gleitzeit.core.references import ABSENT, Scope
from gleitzeit.engine.events import Bell
from gleitzeit.engine.local.closing import closing
from gleitzeit.engine.local.context import Ending, EngineParts, RunContext
from gleitzeit.engine.local.dispatch import Dispatch
from gleitzeit.engine.local.failures import log_defect
from gleitzeit.engine.local.items import ItemResults
from gleitzeit.engine.local.outputs import outputs_of
from gleitzeit.engine.local.places import Place
from gleitzeit.engine.local.secrets import RunSecrets
from gleitzeit.engine.local.work import Work
from gleitzeit.store.base import EventDraft, RunRow, TaskRow

logger = logging.getLogger("gleitzeit.engine")


class Runner:
    """Owns the tasks of one run. `bell` falls silent once nothing more happens in it by itself."""

    def __init__(self, row: RunRow, parts: EngineParts, parent: Runner | None) -> None:
        self.row = row
        self.depth: int = 1 if parent is None else parent.depth + 1
        self.secrets: RunSecrets = RunSecrets(parts.secrets, row.workflow, None if parent is None else parent.secrets)
        self.bell = Bell()
        self.places: dict[str, Place] = {}
        self._over = False
        self._parts = parts
        self._scope = anyio.CancelScope()
        self._dispatches = {task.id: Dispatch(task) for task in row.workflow.tasks}
        self._evaluator = parts.evaluator.for_run()
        self._results: dict[str, Any] = {}
        self._items: dict[str, ItemResults] = {}
        self._rows: dict[str, TaskRow] = {}

    async def run(self) -> None:
        """Carry the run out. Whatever goes wrong is recorded in it; cancellation alone is raised."""
        try:
            with self._scope:
                await self._carry_out()
        except Exception as error:  # noqa: BLE001 - a defect of ours, or a store that is gone: this run fails, the others go on
            await self._fail(error)
        except BaseException:
            await self.close("cancelled", Failure("cancelled", "the engine was stopped"))
            raise
        if self._scope.cancelled_caught:
            limit = self.row.workflow.settings.timeout or 0
            await self.close("failed", Failure("timeout", f"the run took longer than {limit:g} s (settings.timeout)"))
        elif self.row.state == "running":
            await self.close("failed", Failure("internal", "the engine lost track of the run", "this is a defect"))
        self.bell.fall_silent()

    async def close(self, state: RunState, failure: Failure) -> None:
        """End the run now: stop what runs, and record it without waiting for that."""
        if self._over:
            return
        self._over = True
        self._scope.cancel()
        end = closing(self.row, self._rows.values(), state, failure, self._parts.clock.now())
        self.row = end.run
        with anyio.CancelScope(shield=True):
            try:
                await self._parts.store.commit(
                    end.run.id, end.run.epoch, tasks=end.tasks, events=end.events, run=end.run
                )
            except Exception:  # whoever waits for the run must not wait for ever because its end can't be written
                logger.exception("the end of run %s could not be recorded", end.run.id)
        self.bell.fall_silent()

    async def _carry_out(self) -> None:
        workflow = self.row.workflow
        if workflow.settings.timeout is not None:
            self._scope.deadline = anyio.current_time() + workflow.settings.timeout
        self._plan = Plan.open(workflow, {})
        async with anyio.create_task_group() as self._group:
            roots = tuple(Path(root) for root in self.row.roots)
            self._context = RunContext(
                run=self.row,
                roots=roots,
                secrets=self.secrets,
                evaluator=self._evaluator,
                results=self._results,
                places=self.places,
                parts=self._parts,
                group=self._group,
                write=self._write,
            )
            await self._apply(self._plan.start(), [], [])

    async def _fail(self, raised: Exception) -> None:
        error = only_error(raised)
        if isinstance(error, GleitzeitError):
            await self.close("failed", Failure.of(error))
            return
        log_defect(f"run {self.row.id} failed by a defect of the engine", error, self.secrets.redact)
        message = self.secrets.redact(f"the engine failed: {type(error).__name__}: {error}")
        await self.close("failed", Failure("internal", message, "this is a defect; the log has its traceback"))

    async def _work(self, work: Work, task_id: str, index: int | None) -> None:
        ending = await work.carry_out()
        if self._over:
            return
        self._note(ending, task_id, index)
        actions = self._plan.after(Outcome(ending.kind, ending.row.key, len(ending.items)))
        await self._apply(actions, [ending.row], ending.events)

    def _note(self, ending: Ending, task_id: str, index: int | None) -> None:
        if index is not None:
            self._items[task_id].note(index, ending.row)
        elif ending.kind == "expanded":
            self._items[task_id] = ItemResults(ending.items)
        else:
            self._results[task_id] = ending.row.result

    async def _apply(self, actions: Sequence[Action], tasks: list[TaskRow], events: list[EventDraft]) -> None:
        """Record what happened and what follows from it in one transaction, and only then start what follows."""
        starts: list[tuple[Work, str, int | None]] = []
        run: RunRow | None = None
        due = deque(actions)
        while due:
            action = due.popleft()
            match action:
                case Start():
                    starts.append((self._begin(action, tasks, events), action.task_id, action.index))
                case Skip():
                    self._skip(action, tasks, events)
                case Join():
                    due.extend(self._join(action, tasks, events))
                case Finish():
                    if self.row.workflow.outputs is not None and not action.failed:
                        await self._write(tasks, events)  # for computing the outputs may take long, or be cancelled
                        tasks, events = [], []
                    run = await self._finished(action, tasks, events)
                case Rest():
                    run = replace(self.row, state="waiting")
                case Continue():
                    raise UnsupportedError(f"{action.key} goes on after waiting, which this engine cannot do")
                case _:
                    assert_never(action)
        if self._over:
            return
        await self._write(tasks, events, run)
        for start in starts:
            self._group.start_soon(self._work, *start)

    def _begin(self, start: Start, tasks: list[TaskRow], events: list[EventDraft]) -> Work:
        dispatch = self._dispatches[start.task_id]
        started_at = None
        if start.index is not None or dispatch.certain:
            started_at = self._parts.clock.now()
            tasks.append(TaskRow(start.key, "running", attempts=1, started_at=started_at))
            events.append(EventDraft("task.started", started_at, start.key))
        item = ABSENT if start.index is None else self._items[start.task_id].items[start.index]
        return Work(start.key, dispatch, self._context, started_at, start.index, item)

    def _skip(self, skip: Skip, tasks: list[TaskRow], events: list[EventDraft]) -> None:
        now = self._parts.clock.now()
        tasks.append(TaskRow(skip.key, "skipped", finished_at=now))
        events.append(EventDraft("task.skipped", now, skip.key, {"reason": f'"{skip.blocker}" did not complete'}))
        self._results[skip.key] = None

    def _join(self, join: Join, tasks: list[TaskRow], events: list[EventDraft]) -> Sequence[Action]:
        """End a foreach; what follows from that."""
        items, now, kind = self._items.pop(join.key), self._parts.clock.now(), join.state
        result, failure = None, None
        if kind == "completed":
            try:
                result = items.joined(self._parts.result_bytes)
            except LimitError as error:
                kind, failure = "failed", Failure.of(error)
        else:
            failure = items.failure(kind)
        outcome: OutcomeKind = kind
        tasks.append(replace(self._row(join.key, tasks), state=kind, result=result, failure=failure, finished_at=now))
        facts = {} if failure is None else {"error": failure.to_dict()}
        events.append(EventDraft(f"task.{kind}", now, join.key, facts))
        self._results[join.key] = result
        return self._plan.after(Outcome(outcome, join.key))

    async def _finished(self, finish: Finish, tasks: list[TaskRow], events: list[EventDraft]) -> RunRow:
        row, parts = self.row, self._parts
        failure = self._cause(finish, tasks) if finish.failed else None
        outputs: dict[str, Any] = {}
        if failure is None:
            try:
                scope = Scope(tasks=self._results, inputs=row.inputs, run_id=row.id, secrets=self.secrets)
                outputs = await outputs_of(row.workflow, scope, self.secrets, self._evaluator, parts.result_bytes)
            except GleitzeitError as error:
                failure = Failure.of(error)
        state: RunState = "completed" if failure is None else "failed"
        now = parts.clock.now()
        facts = {} if failure is None else {"error": failure.to_dict()}
        events.append(EventDraft(f"run.{state}", now, None, facts))
        return replace(row, state=state, finished_at=now, outputs=outputs, failure=failure)

    def _cause(self, finish: Finish, tasks: list[TaskRow]) -> Failure:
        task_id = finish.failed[0]
        failure = self._row(task_id, tasks).failure or Failure("internal", "it gave no reason")
        message = f'task "{task_id}" failed: {failure.message}'
        if len(finish.failed) > 1:
            message += f" (and {len(finish.failed) - 1} more)"
        return replace(failure, message=message, details={**failure.details, "failed": list(finish.failed)})

    def _row(self, key: str, unwritten: Sequence[TaskRow]) -> TaskRow:
        """A task's row with what is about to be written of it."""
        return next((row for row in reversed(unwritten) if row.key == key), None) or self._rows[key]

    async def _write(self, tasks: Sequence[TaskRow], events: Sequence[EventDraft], run: RunRow | None = None) -> None:
        """Commit, and wake those who watch; nothing is written any more once the run is over."""
        if self._over:
            return
        for row in tasks:
            self._rows[row.key] = row
        if run is None:
            await self._parts.store.commit(self.row.id, self.row.epoch, tasks=tasks, events=events)
            self.bell.ring()
        else:
            await self._write_run(run, tasks, events)

    async def _write_run(self, run: RunRow, tasks: Sequence[TaskRow], events: Sequence[EventDraft]) -> None:
        """Commit the run's own row too; from here on it can't be cancelled, unless this fails."""
        self._over = run.state in OVER
        try:
            with anyio.CancelScope(shield=True):
                await self._parts.store.commit(run.id, run.epoch, tasks=tasks, events=events, run=run)
        except BaseException:
            self._over = False
            raise
        self.row = run
        self.bell.fall_silent()
