"""`Support`: what stands behind the `TaskContext` of a task that is being carried out."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Never

import anyio

from gleitzeit.core.errors import ConflictError, ForbiddenError, GleitzeitError, LimitError
from gleitzeit.core.keys import maker_of
from gleitzeit.core.models import Run, Task, Workflow
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local.allowance import Allowance
from gleitzeit.engine.local.answers import Answers
from gleitzeit.engine.local.approval import Request, approved, asks_for
from gleitzeit.engine.local.children import (
    allow_call,
    allow_parameters,
    allow_workflow,
    calls_name,
    carried_out,
    identified,
)
from gleitzeit.engine.local.context import RunContext
from gleitzeit.engine.local.deadline import Deadline
from gleitzeit.engine.local.deed import Deed
from gleitzeit.engine.local.failures import recorded_failure
from gleitzeit.engine.local.inquiry import Inquiry
from gleitzeit.engine.local.journal import Call, Entry, Journal, another_way
from gleitzeit.engine.local.questions import Wish, question_of
from gleitzeit.engine.local.results import as_data, copied, measured
from gleitzeit.engine.local.time_limit import time_limit
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit.store.base import EventDraft, TaskRow

MOMENT = 0.25
"""Seconds in which the other calls of code that makes several at once have come in."""

_LONGEST_MESSAGE = 1000


class Support:
    """Progress, nested calls, child runs and questions of one attempt of the task `key`, which has until `deadline`."""

    __slots__ = (
        "_allowance",
        "_answers",
        "_attempt",
        "_bytes",
        "_calls",
        "_closed",
        "_company",
        "_context",
        "_identity",
        "_in_flight",
        "_inquiries",
        "_journal",
        "_key",
        "_task",
        "deadline",
        "meta",
    )

    def __init__(
        self,
        key: str,
        task: Task,
        context: RunContext,
        deadline: Deadline,
        *,
        attempt: int,
        answers: Callable[[], Answers],
        meta: Mapping[str, str] | None = None,
        identity: str = "",
    ) -> None:
        self._key = key
        self._answers = answers
        self._identity = identity
        self._task = task
        self._context = context
        self._attempt = attempt
        self.deadline = deadline
        self.meta = context.meta if meta is None else meta
        self._closed = False
        self._in_flight = 0
        self._bytes = 0
        self._journal: Journal | None = None
        self._company: anyio.Event | None = None
        self._calls: dict[str, Deadline] | None = None
        self._inquiries: list[Inquiry] | None = None
        self._allowance: Allowance | None = None

    @property
    def time_left(self) -> float:
        """Seconds until it has to be over."""
        return self.deadline.remaining

    def deadlines(self, key: str) -> list[Deadline]:
        """Those of the attempt itself and, where `key` is a call that it makes, of that call."""
        call = None if self._calls is None else self._calls.get(key)
        return [self.deadline] if call is None else [self.deadline, call]

    def task_context(self, identity: str, facts: dict[str, Any]) -> TaskContext:
        """What the code that carries the attempt out finds around it, and notes `facts` in.

        `identity` tells what it does from all else in the run, and stays the same for a later attempt.
        """
        context, run, time_left = self._context, self._context.run, self.time_left
        return TaskContext(
            run_id=run.id,
            task_id=self._key,
            attempt=self._attempt,
            deadline=time.monotonic() + time_left,
            idempotency_key=f"{run.id}/{identity}",
            roots=context.roots,
            support=self,
            metadata=facts,
            caller=run.caller,
            time_left=self._time_left,
            meta=self.meta,
        )

    def _time_left(self) -> float:
        return self.time_left

    async def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        """Tell whoever watches; once the attempt is over nobody does."""
        if not self._closed:
            self._context.tell(self._draft(done, total, message))

    def close(self) -> None:
        """The attempt is over: it reports, calls and asks nothing any more."""
        self._closed = True
        self.deadline.forget()
        if self._inquiries:
            for inquiry in list(self._inquiries):
                inquiry.withdraw()

    async def start_child(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Run one method as a recorded call of the task, and return its result or raise its error.

        A call that an earlier attempt completed is not carried out again. Raises `ConflictError` where the code takes
        another way than it took then, and an ambiguous error for a call that was cut off and must not be repeated.
        """
        self._check_open()
        await self._allow(method)
        self._in_flight += 1
        if self._company is not None:
            self._company.set()
        try:
            return await self._call(method, parameters)
        finally:
            self._in_flight -= 1

    async def _allow(self, method: str) -> None:
        """Raise `ForbiddenError` where neither the task's `calls` name the method nor those of its own method do."""
        if not calls_name(self._task.calls, method):
            spec = await self._context.parts.methods.describe(self._task.method)
            if spec is None or not calls_name(spec.calls, method):
                allow_call(self._task, method)

    async def start_workflow(self, workflow: Workflow, inputs: Mapping[str, Any]) -> Run:
        """Run a checked workflow as a run of its own, for a task or call that is there for that."""
        self._check_open()
        allow_workflow(self._task)
        context = self._context
        return await context.parts.child(Submission(workflow, inputs, parent_id=context.run.id, parent_task=self._key))

    async def ask(
        self,
        message: str,
        schema: Mapping[str, Any] | None,
        *,
        person: bool = False,
        seconds: float | None = None,
        default: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Ask whoever is behind the run, and return the content of the answer; one that is known is not asked for."""
        self._check_open()
        context, now = self._context, self._context.parts.clock.now
        wish = Wish(message, schema, person, seconds, default)
        asker, answers = (context.run.id, self._maker_key(), self._identity), self._answers()
        question = question_of(wish, asker, answers, context.secrets.redact, now())
        inquiry = Inquiry(question, answers, self.allowance(), now)
        inquiries = self._inquiries = self._inquiries or []
        inquiries.append(inquiry)
        try:
            return await context.parts.ask(context.run.id, self._key, inquiry)
        finally:
            inquiries.remove(inquiry)

    def allowance(self) -> Allowance:
        """How much the attempt may still ask."""
        self._allowance = self._allowance or Allowance()
        return self._allowance

    async def _call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        context = self._context
        parts, journal = context.parts, self._opened()
        data: dict[str, Any] = measured(parameters, parts.result_bytes, f"what {method} is called with")[0]
        deed = Deed(context, self._key, self._attempt, method, self.meta)
        await deed.allow(data)
        spec = await parts.methods.describe(method)
        allow_parameters(method, data, context.secrets)
        call = identified(method, data, spec, context.secrets)
        await self._check_way(journal, call)
        self._check_open()
        entry = journal.take(call)
        deed.key = entry.key
        if entry.known is not None:
            result, size = measured(entry.known.result, parts.result_bytes)
            self._count(size)
            await deed.reuse(data)
            return result
        return copied(await self._carry_out(entry, data, deed))

    def _opened(self) -> Journal:
        if self._journal is None:
            earlier = self._context.rows.calls(self._key)
            self._journal = Journal(self._key, earlier, ambiguous=self._task.retry.ambiguous)
        return self._journal

    async def _check_way(self, journal: Journal, call: Call) -> None:
        """Raise `ConflictError` where the code takes another way than in an earlier attempt.

        Code that makes several calls at once may make them in any order: only one that stays alone passes others over.
        """
        passed_over = journal.passed_over(call)
        if passed_over is None or self._in_flight > 1:
            return
        company = self._company = anyio.Event()
        with anyio.move_on_after(MOMENT):
            await company.wait()
        self._company = None
        if not company.is_set():
            raise another_way(self._key, passed_over, call)

    def _maker_key(self) -> str:
        """The task or item that the attempt is of."""
        return maker_of(self._key)

    async def _carry_out(self, entry: Entry, parameters: dict[str, Any], deed: Deed) -> dict[str, Any]:
        """Its result, durable. What may be repeated need not be known to have begun: that saves a commit."""
        context, now = self._context, self._context.parts.clock.now
        row = TaskRow(entry.key, "running", entry.attempts, started_at=now(), metadata=entry.facts)
        events = [EventDraft("task.started", now(), entry.key, {"method": entry.call.method})]
        try:
            await self._approve(entry, parameters, deed)
        except GleitzeitError as error:
            raise await self._failed(row, error, {}, events) from error
        if not entry.call.repeatable:
            await context.record([row], events)
            self._check_open()  # the task may have ended meanwhile
            events = []
        facts: dict[str, Any] = {}
        try:
            result: dict[str, Any] = context.secrets.redact(await self._execute(entry, parameters, facts, deed))
        except GleitzeitError as error:
            raise await self._failed(row, error, facts, events) from error
        row = row._replace(state="completed", result=result)
        await self._end(row, facts, [*events, EventDraft("task.completed", now(), entry.key)])
        return result

    async def _approve(self, entry: Entry, parameters: dict[str, Any], deed: Deed) -> None:
        """Return once a person has approved the call, where one has to."""
        if asks_for(self._context, entry.call.method):
            request = Request(self._maker_key(), entry.call.method, parameters, entry.identity)
            await approved(self._context, entry.key, request, self._answers(), self.allowance(), deed)

    async def _failed(
        self, row: TaskRow, error: GleitzeitError, facts: dict[str, Any], events: list[EventDraft]
    ) -> GleitzeitError:
        """The error of a call as it is raised, once it is recorded."""
        failure = recorded_failure(error, self._context.secrets.redact)
        now = self._context.parts.clock.now()
        event = EventDraft("task.failed", now, row.key, {"error": failure.to_dict()})
        await self._end(row._replace(state="failed", failure=failure), facts, [*events, event])
        return failure.to_error()

    async def _execute(
        self, entry: Entry, parameters: dict[str, Any], facts: dict[str, Any], deed: Deed
    ) -> dict[str, Any]:
        context, call = self._context, entry.call
        task = Task(id=self._task.id, method=call.method)
        asked = time_limit(task, parameters, None)
        calls = self._calls = self._calls or {}
        deadline = calls[entry.key] = Deadline(math.inf if asked is None else asked)
        deed.begin()
        support = _CallSupport(
            entry.key,
            task,
            context,
            deadline,
            attempt=self._attempt,
            meta=deed.meta,
            maker=self,
            identity=entry.identity,
        )
        leave = enter_task(support.task_context(f"{self._key}/{entry.identity}", facts))
        try:
            result, size = await deed.carry_out(
                parameters, partial(carried_out, context, call.method, parameters, asked, deadline)
            )
        finally:
            leave()
            support.close()
            del calls[entry.key]
        self._count(size)
        return result

    def _count(self, size: int) -> None:
        """Raise `LimitError` where the results of all calls, which are kept until the task is over, are too many."""
        limit = self._context.parts.result_bytes
        if self._bytes + size > limit:
            raise LimitError(
                f'the results of all calls of "{self._key}" are larger than {limit:,} bytes (limits.result_bytes)',
                hint="call for smaller parts, or spread the calls over several tasks with `foreach`",
            )
        self._bytes += size

    async def _end(self, row: TaskRow, facts: dict[str, Any], events: list[EventDraft]) -> None:
        self._check_open()
        noted: dict[str, Any] = as_data(facts, self._context.secrets.redact) if facts else {}
        now = self._context.parts.clock.now()
        await self._context.record([row._replace(finished_at=now, metadata={**noted, **row.metadata})], events)

    def _check_open(self) -> None:
        if self._closed:
            raise ConflictError(f"{self._key} is over and calls nothing more")

    def _draft(self, done: Any, total: Any, message: Any) -> EventDraft:
        data = {"done": _number(done), "total": _number(total)}
        facts: dict[str, Any] = {name: value for name, value in data.items() if value is not None}
        if message is not None:
            facts["message"] = self._context.secrets.redact(str(message))[:_LONGEST_MESSAGE]
        return EventDraft("task.progress", self._context.parts.clock.now(), self._key, facts)


class _CallSupport(Support):
    """Stands behind a nested call, which makes no calls of its own, and has no more than its `maker` has."""

    __slots__ = ("_maker",)

    def __init__(
        self,
        key: str,
        task: Task,
        context: RunContext,
        deadline: Deadline,
        *,
        attempt: int,
        meta: Mapping[str, str],
        maker: Support,
        identity: str,
    ) -> None:
        answers = maker._answers  # noqa: SLF001 of the same family
        super().__init__(key, task, context, deadline, attempt=attempt, answers=answers, meta=meta, identity=identity)
        self._maker = maker

    @property
    def time_left(self) -> float:
        """Seconds until it, or its task, has to be over."""
        return min(self.deadline.remaining, self._maker.deadline.remaining)

    def allowance(self) -> Allowance:
        """How much the attempt that makes the call may still ask."""
        return self._maker.allowance()

    async def start_child(self, method: str, parameters: Mapping[str, Any]) -> Never:
        """Refuse: nothing names what a call may call."""
        raise ForbiddenError(
            f"{self._task.method} was called by the code of a task, and may not call {method} itself",
            hint=f"let the task's own code call {method}, or make both tasks of a workflow",
        )


def _number(value: Any) -> float | int | None:
    """A number that arithmetic can be done with: an integer may be too large for that, and has no `isfinite` then."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and -sys.float_info.max <= value <= sys.float_info.max else None
