"""The methods that a task's code calls: recorded, and found again by a later attempt."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Never

import anyio

from gleitzeit.core.errors import ForbiddenError, GleitzeitError, LimitError
from gleitzeit.core.models import Task
from gleitzeit.engine.local.allowance import Allowance
from gleitzeit.engine.local.answers import Answers
from gleitzeit.engine.local.approval import Request, approved, asks_for
from gleitzeit.engine.local.children import allow_call, allow_parameters, calls_name, carried_out, identified
from gleitzeit.engine.local.context import RunContext
from gleitzeit.engine.local.deadline import Deadline
from gleitzeit.engine.local.deed import Deed
from gleitzeit.engine.local.failures import recorded_failure
from gleitzeit.engine.local.journal import Call, Entry, Journal, another_way
from gleitzeit.engine.local.results import as_data, copied, measured
from gleitzeit.engine.local.support import Support
from gleitzeit.engine.local.time_limit import time_limit
from gleitzeit.providers.base import enter_task
from gleitzeit.store.base import EventDraft, TaskRow

MOMENT = 0.25
"""Seconds in which the other calls of code that makes several at once have come in."""


class CallingSupport(Support):
    """Stands behind an attempt whose code may call methods."""

    __slots__ = ("_bytes", "_company", "_deadlines", "_in_flight", "_journal")

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
    ) -> None:
        super().__init__(key, task, context, deadline, attempt=attempt, answers=answers, meta=meta)
        self._in_flight = 0
        self._bytes = 0
        self._journal: Journal | None = None
        self._company: anyio.Event | None = None
        self._deadlines: dict[str, Deadline] | None = None

    def deadlines(self, key: str) -> list[Deadline]:
        """Those of the attempt itself and, where `key` is a call that it makes, of that call."""
        call = None if self._deadlines is None else self._deadlines.get(key)
        return [self.deadline] if call is None else [self.deadline, call]

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
            await approved(self._context, entry.key, request, self.answers(), self.allowance(), deed)

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
        deadlines = self._deadlines = self._deadlines or {}
        deadline = deadlines[entry.key] = Deadline(math.inf if asked is None else asked)
        deed.begin()
        support = CalledSupport(
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
            del deadlines[entry.key]
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


class CalledSupport(Support):
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
        answers = maker.answers
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
