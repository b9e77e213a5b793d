"""`Work`: one task, or one item of a foreach, from its first attempt to its last."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

import anyio
import anyio.lowlevel

from gleitzeit.core import retry
from gleitzeit.core.errors import ForbiddenError, GleitzeitError, TimeoutError
from gleitzeit.core.models import Failure, TaskState
from gleitzeit.core.nesting import RUN_WORKFLOW
from gleitzeit.core.references import ABSENT, Scope
from gleitzeit.engine.local.context import Ending, RunContext
from gleitzeit.engine.local.dispatch import Dispatch, time_limit
from gleitzeit.engine.local.failures import translate
from gleitzeit.engine.local.places import Place
from gleitzeit.engine.local.results import copied, measured, recorded
from gleitzeit.engine.local.support import Support
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit.store.base import EventDraft, TaskRow

BadEnd = Literal["failed", "unknown"]

_DESCRIBE_SECONDS = 5.0


class Work:
    """Carries out one task or item; `started_at` is given where its start is recorded already."""

    __slots__ = ("_attempts", "_context", "_dispatch", "_index", "_item", "_metadata", "_secrets", "_started_at", "key")

    def __init__(
        self,
        key: str,
        dispatch: Dispatch,
        context: RunContext,
        started_at: float | None,
        index: int | None = None,
        item: Any = ABSENT,
    ) -> None:
        self.key = key
        self._dispatch = dispatch
        self._context = context
        self._started_at = started_at
        self._index = index
        self._item = item
        self._secrets = context.secrets
        self._attempts = 0
        self._metadata: Mapping[str, Any] = {}

    async def carry_out(self) -> Ending:
        """Whatever happens becomes the ending; only cancellation and our own defects are raised."""
        try:
            if self._index is None and not self._dispatch.certain:
                ending = await self._preliminary()
                if ending is not None:
                    return ending
        except GleitzeitError as error:
            return self._ended("failed", self._failure(error), [])
        if self._context.parts.places is None:
            return await self._persist()
        place = self._context.places[self.key] = Place(self._context.parts.places)
        await place.take()
        try:
            return await self._persist()
        finally:
            place.give_up()
            del self._context.places[self.key]

    async def _preliminary(self) -> Ending | None:
        """The ending of a task that its `when` does without, or of a foreach that has now been expanded."""
        evaluator, scope, now = self._context.evaluator, self._scope(), self._context.parts.clock.now
        if not await self._dispatch.wanted(evaluator, scope):
            event = EventDraft("task.skipped", now(), self.key, {"reason": "its `when` is false"})
            return Ending("skipped", TaskRow(self.key, "skipped", finished_at=now()), [event])
        self._started_at = now()
        started = EventDraft("task.started", self._started_at, self.key)
        if self._dispatch.task.foreach is None:
            row = TaskRow(self.key, "running", attempts=1, started_at=self._started_at)
            await self._context.write([row], [started])
            return None
        items = await self._dispatch.items(evaluator, scope)
        row = TaskRow(
            self.key, "running", started_at=self._started_at, count=len(items), metadata={"items": len(items)}
        )
        return Ending("expanded", row, [started], items)

    def _scope(self) -> Scope:
        context = self._context
        return Scope(context.results, context.run.inputs, context.run.id, self._item, self._index, self._secrets)

    async def _parameters(self) -> dict[str, Any]:
        parts, method = self._context.parts, self._dispatch.task.method
        template = await self._dispatch.parameters(parts.methods)
        parameters: dict[str, Any]
        if template.static:
            parameters = copied(template.value)
        else:
            value = await self._context.evaluator.resolve(template, self._scope())
            parameters, _ = measured(value, parts.result_bytes, "the value of `parameters`")
        if parts.policy is not None:
            parts.policy(method)
        if method == RUN_WORKFLOW and self._secrets.holds(parameters):
            raise ForbiddenError(
                "a secret cannot be an input of another workflow, for inputs are stored",
                hint="refer to ${secrets.NAME} inside of that workflow",
            )
        return parameters

    async def _persist(self) -> Ending:
        """Attempt until it succeeds or is given up."""
        while True:
            self._attempts += 1
            support: Support | None = None
            try:
                parameters = await self._parameters()
                limit = time_limit(self._dispatch.task, parameters, self._context.run.workflow.settings.default_timeout)
                support = self._support(limit)
                result = await self._attempt(parameters, limit, support)
            except GleitzeitError as error:
                await anyio.lowlevel.checkpoint_if_cancelled()  # what a cancelled provider says does not count
                ending = await self._after_failure(error, [] if support is None else support.close())
                if ending is not None:
                    return ending
            else:
                return self._completed(result, support.close())

    def _support(self, limit: float) -> Support:
        context = self._context
        return Support(
            self.key,
            self._dispatch.task,
            context.run.id,
            seconds=limit,
            secrets=self._secrets,
            parts=context.parts,
            group=context.group,
            emit=self._tell,
        )

    async def _attempt(self, parameters: dict[str, Any], limit: float, support: Support) -> dict[str, Any]:
        """One call of the provider. Raises a GleitzeitError, whatever the provider raised."""
        method, parts = self._dispatch.task.method, self._context.parts
        metadata: dict[str, Any] = {}
        leave = enter_task(self._task_context(limit, support, metadata))
        scope = anyio.CancelScope(deadline=anyio.current_time() + limit)
        try:
            with scope:
                return recorded(await parts.methods.execute(method, parameters), parts.result_bytes)
        except GleitzeitError:
            if not scope.cancel_called:
                raise
        except BaseException as error:
            if not scope.cancel_called:
                raise self._foreign(error) from error
            if isinstance(error, KeyboardInterrupt | anyio.get_cancelled_exc_class()):
                raise
        finally:
            leave()
            self._metadata = metadata
        raise TimeoutError(f"{method} took longer than {limit:g} s", hint=_TIMEOUT_HINT)

    def _foreign(self, error: BaseException) -> BaseException:
        """What to raise instead of an error that is not ours: itself where it means that this task is to end."""
        cancelled = isinstance(error, anyio.get_cancelled_exc_class())
        if isinstance(error, KeyboardInterrupt) or (cancelled and anyio.current_effective_deadline() == -math.inf):
            return error
        return translate(error, self._dispatch.task.method, self._secrets.redact)

    def _task_context(self, limit: float, support: Support, metadata: dict[str, Any]) -> TaskContext:
        run_id = self._context.run.id
        return TaskContext(
            run_id=run_id,
            task_id=self.key,
            attempt=self._attempts,
            deadline=time.monotonic() + limit,
            idempotency_key=f"{run_id}/{self.key}",
            roots=self._context.roots,
            support=support,
            metadata=metadata,
        )

    async def _after_failure(self, error: GleitzeitError, untold: list[EventDraft]) -> Ending | None:
        """The ending, or none where it is to be tried again, by now."""
        task, failure = self._dispatch.task, self._failure(error)
        repeatable = failure.ambiguous and await self._repeatable()
        verdict = retry.verdict(failure, task.retry, self._attempts, repeatable)
        if verdict != "retry":
            return self._ended("failed" if verdict == "fail" else "unknown", failure, untold)
        clock = self._context.parts.clock
        seconds = retry.delay(task.retry, self._attempts, clock.jitter())
        facts = {"attempt": self._attempts, "delay": seconds, "error": failure.to_dict()}
        row = TaskRow(self.key, "running", attempts=self._attempts, failure=failure, started_at=self._started_at)
        await self._context.write([row], [*untold, EventDraft("task.retrying", clock.now(), self.key, facts)])
        await clock.sleep(seconds)
        return None

    async def _repeatable(self) -> bool:
        """Whether its method is declared so. Calls that its own code makes are covered only by read-only."""
        spec = None
        with anyio.move_on_after(_DESCRIBE_SECONDS):
            try:
                spec = await self._context.parts.methods.describe(self._dispatch.task.method)
            except GleitzeitError:  # the method went away: nothing is declared of it any more
                spec = None
        return spec is not None and (spec.read_only or (spec.idempotent and not self._dispatch.task.calls))

    async def _tell(self, event: EventDraft) -> None:
        await self._context.write((), (event,))

    def _completed(self, result: dict[str, Any], untold: list[EventDraft]) -> Ending:
        now = self._context.parts.clock.now()
        row = self._row("completed", now, result=self._secrets.redact(result))
        return Ending("completed", row, [*untold, EventDraft("task.completed", now, self.key)])

    def _ended(self, state: BadEnd, failure: Failure, untold: list[EventDraft]) -> Ending:
        now = self._context.parts.clock.now()
        event = EventDraft(f"task.{state}", now, self.key, {"error": failure.to_dict()})
        return Ending(state, self._row(state, now, failure=failure), [*untold, event])

    def _row(
        self, state: TaskState, finished_at: float | None, *, result: Any = None, failure: Failure | None = None
    ) -> TaskRow:
        return TaskRow(
            key=self.key,
            state=state,
            attempts=self._attempts,
            result=result,
            failure=failure,
            started_at=self._started_at,
            finished_at=finished_at,
            metadata=self._facts(),
        )

    def _failure(self, error: GleitzeitError) -> Failure:
        redact = self._secrets.redact
        failure = Failure.of(error)
        return replace(
            failure,
            message=redact(failure.message),
            hint=redact(failure.hint),
            details=redact(_data(dict(failure.details))),
        )

    def _facts(self) -> Mapping[str, Any]:
        return self._secrets.redact(_data(self._metadata)) if self._metadata else {}


_TIMEOUT_HINT = "give the task a longer `timeout`, or less to do at once"


def _data(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON data, or as text where a provider noted something else."""
    try:
        data, _ = measured(facts)
    except GleitzeitError:
        return {"text": repr(facts)[:1000]}
    return dict(data)
