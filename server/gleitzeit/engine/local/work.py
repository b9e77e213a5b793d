"""`Work`: carries out one attempt of one task, or of one item of a foreach."""

from __future__ import annotations

import asyncio  # for members of the crew are its tasks, and are cancelled with its means
import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Protocol

import anyio

from gleitzeit.core.errors import GleitzeitError, LeaseLostError, ProviderCrashedError, TimeoutError
from gleitzeit.core.references import ABSENT, Scope
from gleitzeit.engine.local.alarms import Alarm
from gleitzeit.engine.local.allowance import Allowance
from gleitzeit.engine.local.approval import Request, approved, asks_for
from gleitzeit.engine.local.attempt import Attempt
from gleitzeit.engine.local.calls import CallingSupport
from gleitzeit.engine.local.cancellation import ends_the_task
from gleitzeit.engine.local.children import allow_parameters
from gleitzeit.engine.local.context import Ending, RunContext
from gleitzeit.engine.local.deadline import Deadline
from gleitzeit.engine.local.deed import Deed
from gleitzeit.engine.local.dispatch import Dispatch
from gleitzeit.engine.local.failures import translate
from gleitzeit.engine.local.keeping import keeping
from gleitzeit.engine.local.repeating import only_reads
from gleitzeit.engine.local.results import copied, measured, taken
from gleitzeit.engine.local.time_limit import time_limit
from gleitzeit.engine.local.tracing import Span, begin_span, beneath, end_span
from gleitzeit.providers.base import NOT_CACHED, enter_task
from gleitzeit.store.base import EventDraft, TaskRow

logger = logging.getLogger("gleitzeit.engine")

GRACE = 5.0
"""Seconds that a provider has to let go after it was cancelled; after that it is left to itself."""


class Follower(Protocol):
    """Whoever wants to know what became of an attempt."""

    def ended(self, work: Work, ending: Ending) -> None:
        """The attempt is over."""
        ...

    def let_go(self, work: Work) -> None:
        """The attempt does nothing more; called once for each, whether or not it has an ending."""
        ...


class Work:
    """Carries out an attempt and tells `follower`. `slot` says whether it has one, `away` for how many it waits."""

    __slots__ = (
        "_alarm",
        "_context",
        "_deed",
        "_dispatch",
        "_failure",
        "_follower",
        "_item",
        "_limit",
        "_scope",
        "_span",
        "_support",
        "_timed_out",
        "attempt",
        "away",
        "index",
        "key",
        "meta",
        "over",
        "returning",
        "slot",
        "stopped",
    )

    def __init__(
        self,
        attempt: Attempt,
        dispatch: Dispatch,
        context: RunContext,
        follower: Follower,
        index: int | None = None,
        item: Any = ABSENT,
    ) -> None:
        self.key = attempt.key
        self.attempt = attempt
        self.index = index
        self.slot = False
        self.away = 0
        self.returning = False
        self.stopped = False
        self.over = False
        self._dispatch = dispatch
        self._context = context
        self._follower = follower
        self._item = item
        self._limit = 0.0
        self._support: CallingSupport | None = None
        self._scope: anyio.CancelScope | None = None
        self._alarm: Alarm | None = None
        self._timed_out = False
        self._span: Span | None = None
        self._failure: str | None = None
        self.meta = context.meta
        self._deed = Deed(context, attempt.key, attempt.number, attempt.task.method, context.meta)

    @property
    def task_id(self) -> str:
        """The id of its task."""
        return self.attempt.task.id

    @property
    def caller(self) -> str:
        """Whose run it is of."""
        return self._context.run.caller

    @property
    def certain(self) -> bool:
        """Whether it begins without a look at any data first, or has begun before."""
        return self.index is not None or self._dispatch.certain or self.attempt.started_at is not None

    @property
    def only_reads(self) -> bool:
        """Whether it may begin before that is written."""
        return only_reads(self._context.parts.methods, self.attempt.task)

    @property
    def slotless(self) -> bool:
        """Whether it only expands a foreach."""
        return self.index is None and self.attempt.task.foreach is not None

    def following(self) -> Work:
        """The work of the next attempt."""
        return Work(self.attempt.next(), self._dispatch, self._context, self._follower, self.index, self._item)

    async def run(self) -> bool:
        """Carry it out; whatever goes wrong becomes the ending. False where a provider has spoiled the task it ran in.

        It has where it left a cancel scope open, or cancelled the task itself.
        """
        if self.stopped:
            self._let_go()
            return True
        if self._context.traced:
            self._begin_span()
        scope, sound = anyio.CancelScope(), True
        outcome: Ending | GleitzeitError | None = None
        try:
            with scope:
                self._scope = scope
                outcome = await self._guarded()
        except RuntimeError as error:  # by anyio, for the scope that is left now is not the one entered last
            sound = False
            logger.error("%s left a cancel scope open: %s", self.attempt.task.method, error)
        except asyncio.CancelledError:
            if self._context.parts.crew.closing:
                self._let_go()
                raise
            sound = False
        try:
            await self._conclude(outcome)
        finally:
            self._let_go()
        return sound

    async def _guarded(self) -> Ending | GleitzeitError:
        try:
            return await self._carry_out()
        except GleitzeitError as error:
            return error
        except BaseException as error:  # noqa: BLE001 - a provider may raise anything
            return self._foreign(error)

    def stop(self) -> None:
        """Cancel it: what becomes of it is of no interest any more."""
        self.stopped = True
        if self._scope is not None and not self.over:
            self._scope.cancel()
            self._set_alarm(time.monotonic() + GRACE, self._let_go)

    async def fail(self, error: GleitzeitError) -> None:
        """End it with an error, unless nobody wants to know any more."""
        self._failure = error.code
        ending = await self.attempt.failed(error)
        if not self.stopped:
            self._follower.ended(self, ending)

    def _judge(self, error: GleitzeitError) -> None:
        """Find out what follows from an error in a task of its own: the provider may still cut this one off."""
        self._context.parts.crew.give_alone(_Verdict(self, error))

    async def _conclude(self, outcome: Ending | GleitzeitError | None) -> None:
        if self._timed_out and not isinstance(outcome, Ending):
            outcome = self._late("")
        if outcome is None and not self.stopped:
            outcome = ProviderCrashedError(f"{self.attempt.task.method} was cancelled from inside of its provider")
        if self.stopped or self.over or outcome is None or isinstance(outcome, LeaseLostError):
            return
        if isinstance(outcome, Ending):
            self._follower.ended(self, outcome)
        elif outcome.ambiguous:
            self._judge(outcome)
        else:
            await self.fail(outcome)

    def deadlines(self, key: str) -> list[Deadline]:
        """When it has to be over and, where `key` is a call that it makes, when that has."""
        return [] if self._support is None else self._support.deadlines(key)

    def _begin_span(self) -> None:
        """Begin the span of the attempt, and have all that is done in it be beneath that."""
        facts: dict[str, str | int] = {
            "gleitzeit.task.id": self.key,
            "gleitzeit.task.attempt": self.attempt.number,
        }
        self._span = begin_span(f"task {self.task_id}", self.meta, facts)
        self.meta = self._deed.meta = beneath(self._span, self.meta)

    def is_cancelled(self) -> bool:
        """Whether it is stopped, or out of time."""
        return self.stopped or self._timed_out or self.over

    def _let_go(self) -> None:
        if self.over:
            return
        self.over = True
        end_span(self._span, "cancelled" if self.stopped else self._failure)
        if self._alarm is not None:
            self._alarm.turn_off()
        if self._support is not None:
            self._support.close()
        self._follower.let_go(self)

    # Timing out

    def _set_alarm(self, due: float, call: Callable[[], None]) -> None:
        if self._alarm is not None:
            self._alarm.turn_off()
        self._alarm = self._context.parts.alarms.at(due, call)

    def _move_alarm(self) -> None:
        """Let the time limit follow its deadline, which stands still while a question is open."""
        if self._support is not None and not self.is_cancelled():
            self._set_alarm(self._support.deadline.at, self._time_out)

    def _time_out(self) -> None:
        self._timed_out = True
        if self._scope is not None:
            self._scope.cancel()
        self._set_alarm(time.monotonic() + GRACE, self._abandon)

    def _abandon(self) -> None:
        """Give an attempt up that goes on although it was cancelled."""
        error = self._late(f", and did not let go within {GRACE:g} s after it was cancelled")
        self._let_go()
        self._judge(error)

    def _late(self, words: str) -> TimeoutError:
        return TimeoutError(
            f"{self.attempt.task.method} took longer than {self._limit:g} s{words}",
            hint="give the task a longer `timeout`, or less to do at once",
        )

    # Carrying out

    async def _carry_out(self) -> Ending:
        if not self.certain:
            ending = await self._preliminary()
            if ending is not None:
                return ending
        if not self._context.parts.tenure.certain:
            await self._context.record((), ())  # raises where another process has claimed the run meanwhile
        task = self.attempt.task
        parameters = await self._parameters()
        if asks_for(self._context, task.method):
            await self._approve(parameters)
        kept = await keeping(self._context, task, parameters)
        known = None if kept.digest is None else await self._cached(kept.digest)
        if known is not None:
            await self._deed.reuse(parameters)
            return known
        self._limit = time_limit(task, parameters, self._context.run.workflow.settings.default_timeout)
        result, size = await self._call(parameters, kept.facts)
        return self.attempt.completed(result, size, None if NOT_CACHED in self.attempt.facts else kept.digest)

    async def _approve(self, parameters: dict[str, Any]) -> None:
        """Return once a person has approved it; until then nothing of it is carried out."""
        attempt = self.attempt
        request = Request(self.key, attempt.task.method, parameters)
        attempt.held_back = True
        try:
            await approved(self._context, self.key, request, attempt.answers(), Allowance(), self._deed)
        finally:
            attempt.held_back = False

    async def _preliminary(self) -> Ending | None:
        """The ending of a task that its `when` does without, or of a foreach that has now been expanded."""
        evaluator, scope, now = self._context.evaluator, self._data(), self._context.parts.clock.now
        if not await self._dispatch.wanted(evaluator, scope):
            event = EventDraft("task.skipped", now(), self.key, {"reason": "its `when` is false"})
            return Ending("skipped", TaskRow(self.key, "skipped", finished_at=now()), [event])
        begun = self.attempt.started_at = now()
        started = EventDraft("task.started", begun, self.key)
        if self.attempt.task.foreach is None:
            await self._context.record([self.attempt.begun()], [started])
            return None
        items = await self._dispatch.items(evaluator, scope)
        row = TaskRow(self.key, "running", started_at=begun, expanded=len(items), metadata={"items": len(items)})
        return Ending("expanded", row, [started], items)

    def _data(self) -> Scope:
        context = self._context
        return Scope(context.results, context.run.inputs, context.run.id, self._item, self.index, context.secrets)

    async def _parameters(self) -> dict[str, Any]:
        context, method = self._context, self.attempt.task.method
        parts = context.parts
        template = await self._dispatch.parameters(parts.methods)
        parameters: dict[str, Any]
        if template.static:
            parameters = copied(template.value)
        else:
            value = await context.evaluator.resolve(template, self._data())
            parameters, _ = measured(value, parts.result_bytes, "the value of `parameters`")
        await self._deed.allow(parameters)
        allow_parameters(method, parameters, context.secrets)
        return parameters

    async def _call(self, parameters: dict[str, Any], noted: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        """What the provider returns, as data, and its size. The attempt's time runs from here; `noted` are facts."""
        parts, attempt = self._context.parts, self.attempt
        deadline = Deadline(self._limit, self._move_alarm)
        deed = self._deed
        deed.begin()
        self.meta = deed.meta
        support = CallingSupport(
            self.key,
            attempt.task,
            self._context,
            deadline,
            attempt=attempt.number,
            answers=attempt.answers,
            meta=self.meta,
        )
        self._support = support
        self._set_alarm(deadline.at, self._time_out)
        attempt.facts = facts = dict(noted)
        leave = enter_task(support.task_context(self.key, facts))
        attempt.begun_with = True
        try:
            answer = await deed.carry_out(parameters, partial(parts.methods.execute, attempt.task.method, parameters))
        finally:
            leave()
        return taken(answer, parts.result_bytes)

    async def _cached(self, entry: str) -> Ending | None:
        parts, caller = self._context.parts, self._context.run.caller
        found = await parts.store.cached(caller, entry, parts.clock.now())
        if found is None:
            return None
        self.attempt.facts = {"cached": True, "cached_from": f"{found.run_id}/{found.key}"}
        result, size = taken(found.result, parts.result_bytes)
        return self.attempt.completed(result, size, None)

    def _foreign(self, error: BaseException) -> GleitzeitError:
        """The error as ours; raised again where it means that this task is to end."""
        if ends_the_task(error):
            raise error
        if self.stopped or self._timed_out:  # what a cancelled provider says does not count
            return self._late("")
        return translate(error, self.attempt.task.method, self._context.secrets.redact)


class _Verdict:
    """What follows from the error of an attempt, found beside it."""

    def __init__(self, work: Work, error: GleitzeitError) -> None:
        self._work = work
        self._error = error

    async def run(self) -> bool:
        """Have it fail, or be tried again."""
        await self._work.fail(self._error)
        return True
