"""`Deed`: one method that is carried out for a run, by a task or a call of its code, on the record."""

from __future__ import annotations

import secrets as randomness
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

from opentelemetry import trace

from gleitzeit.audit.base import Decision, Entry, Event
from gleitzeit.core.errors import ForbiddenError, GleitzeitError, ProviderCrashedError
from gleitzeit.engine.local.cancellation import ends_the_task
from gleitzeit.engine.local.context import RunContext
from gleitzeit.engine.local.tracing import Span, begin_span, beneath, end_span

Result = TypeVar("Result")


class Deed:
    """What the policy says of a method, and what becomes of it, stands in the audit and in the trace.

    `key` is that of the task, item or call; `meta` what came with the request that leads to it.
    """

    __slots__ = ("_attempt", "_context", "_id", "_method", "_span", "key", "meta")

    def __init__(self, context: RunContext, key: str, attempt: int, method: str, meta: Mapping[str, str]) -> None:
        self._context = context
        self.key = key
        self._attempt = attempt
        self._method = method
        self._id = ""
        self._span: Span | None = None
        self.meta = meta

    async def allow(self, parameters: Mapping[str, Any]) -> None:
        """Return where the policy allows the method. Raises `ForbiddenError` where it does not."""
        policy = self._context.parts.policy
        if policy is None:
            return
        try:
            policy(self._method)
        except ForbiddenError as error:
            await self.decided("denied", parameters, rule=str(error.details.get("rule", "")) or None)
            raise

    async def decided(self, decision: Decision, parameters: Mapping[str, Any], *, rule: str | None = None) -> None:
        """Have a decision written. Raises `UnrecordedError` where it can't be: nothing may follow then."""
        audit = self._context.parts.audit
        if audit.active:
            await audit.record(self._entry("decided", decision=decision, rule=rule, parameters=self._told(parameters)))

    async def reuse(self, parameters: Mapping[str, Any]) -> None:
        """Have it written that an earlier result stands for this one."""
        audit = self._context.parts.audit
        if audit.active:
            await audit.record(
                self._entry("decided", decision="allowed", reused=True, parameters=self._told(parameters))
            )

    def begin(self) -> None:
        """Begin its span; `meta` is from here on what goes to whatever it calls. `carry_out` has to follow."""
        if self._context.traced:
            facts = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": self._method}
            self._span = begin_span(f"execute_tool {self._method}", self.meta, facts)
            self.meta = beneath(self._span, self.meta)

    async def carry_out(self, parameters: Mapping[str, Any], work: Callable[[], Awaitable[Result]]) -> Result:
        """What `work` returns, or raises; it is not begun where that can't be written down first."""
        if self._span is None and not self._context.parts.audit.active:
            return await work()
        begun, failure = time.perf_counter(), None
        try:
            await self.decided("allowed", parameters)
            with self._current():
                return await work()
        except BaseException as error:
            failure = _code_of(error)
            raise
        finally:
            end_span(self._span, failure)
            self._ended(failure, time.perf_counter() - begun)

    def _current(self) -> AbstractContextManager[object]:
        if self._span is None:
            return nullcontext()
        return trace.use_span(self._span, record_exception=False, set_status_on_exception=False)

    def _ended(self, failure: str | None, seconds: float) -> None:
        audit = self._context.parts.audit
        if audit.active:
            outcome = "completed" if failure is None else "cancelled" if failure == "cancelled" else "failed"
            audit.note(self._entry("ended", outcome=outcome, error=failure, seconds=seconds))

    def _entry(self, event: Event, **facts: Any) -> Entry:
        run = self._context.run
        self._id = self._id or randomness.token_hex(8)
        return Entry(
            event=event,
            id=self._id,
            caller=run.caller,
            run_id=run.id,
            task_id=self.key,
            attempt=self._attempt,
            method=self._method,
            **facts,
        )

    def _told(self, parameters: Mapping[str, Any]) -> Any:
        """The parameters without secrets, for a digest of few possible values tells which of them it was."""
        return self._context.secrets.redact(parameters)


def _code_of(error: BaseException) -> str:
    if isinstance(error, GleitzeitError):
        return error.code
    return "cancelled" if ends_the_task(error) else ProviderCrashedError.code
