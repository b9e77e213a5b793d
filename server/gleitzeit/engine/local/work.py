"""`Work`: one task, or one item of a foreach, from its first attempt to its last."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel

from gleitzeit.core import retry
from gleitzeit.core.errors import ForbiddenError, GleitzeitError, TimeoutError
from gleitzeit.core.models import Failure
from gleitzeit.core.references import ABSENT, Scope
from gleitzeit.engine.local.dispatch import Dispatch, time_limit
from gleitzeit.engine.local.failures import translate
from gleitzeit.engine.local.results import copied, measured, recorded
from gleitzeit.engine.local.scene import Ending, Scene
from gleitzeit.engine.local.seats import Seat
from gleitzeit.engine.local.secrets import Vault
from gleitzeit.engine.local.support import Support
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit.store.base import EventDraft, TaskRow

RUN_WORKFLOW = "workflow/run"
_DESCRIBE_SECONDS = 5.0


class Work:
    """Carries out one task or item; `started_at` is given where its start is recorded already."""

    __slots__ = ("_attempts", "_dispatch", "_index", "_item", "_metadata", "_scene", "_started_at", "_vault", "key")

    def __init__(
        self,
        key: str,
        dispatch: Dispatch,
        scene: Scene,
        started_at: float | None,
        index: int | None = None,
        item: Any = ABSENT,
    ) -> None:
        self.key = key
        self._dispatch = dispatch
        self._scene = scene
        self._started_at = started_at
        self._index = index
        self._item = item
        self._vault = Vault(scene.shop.secrets)
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
        if self._scene.shop.seats is None:
            return await self._persist()
        seat = self._scene.seats[self.key] = Seat(self._scene.shop.seats)
        await seat.take()
        try:
            return await self._persist()
        finally:
            seat.give_up()
            del self._scene.seats[self.key]

    async def _preliminary(self) -> Ending | None:
        """The ending of a task that its `when` does without, or of a foreach that has now been expanded."""
        evaluator, scope, now = self._scene.shop.evaluator, self._scope(), self._scene.shop.clock.now
        if not await self._dispatch.wanted(evaluator, scope):
            event = EventDraft("task.skipped", now(), self.key, {"reason": "its `when` is false"})
            return Ending("skipped", TaskRow(self.key, "skipped", finished_at=now()), [event])
        self._started_at = now()
        started = EventDraft("task.started", self._started_at, self.key)
        if self._dispatch.task.foreach is None:
            await self._scene.write([TaskRow(self.key, "running", started_at=self._started_at)], [started])
            return None
        items = await self._dispatch.items(evaluator, scope)
        row = TaskRow(
            self.key, "running", started_at=self._started_at, count=len(items), metadata={"items": len(items)}
        )
        return Ending("expanded", row, [started], items)

    def _scope(self) -> Scope:
        scene = self._scene
        return Scope(scene.results, scene.run.inputs, scene.run.id, self._item, self._index, self._vault)

    async def _parameters(self) -> dict[str, Any]:
        shop, method = self._scene.shop, self._dispatch.task.method
        template = await self._dispatch.parameters(shop.methods)
        parameters: dict[str, Any] = (
            template.value if template.static else await shop.evaluator.resolve(template, self._scope())
        )
        if shop.policy is not None:
            shop.policy(method, self._scene.run.caller)
        if method == RUN_WORKFLOW and self._vault.holds(parameters):
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
                limit = time_limit(self._dispatch.task, parameters, self._scene.run.workflow.settings.default_timeout)
                support = self._support(limit)
                result = await self._attempt(copied(parameters), limit, support)
            except GleitzeitError as error:
                await anyio.lowlevel.checkpoint_if_cancelled()  # what a cancelled provider says does not count
                ending = await self._after_failure(error, [] if support is None else support.close())
                if ending is not None:
                    return ending
            else:
                return self._completed(result, support.close())

    def _support(self, limit: float) -> Support:
        scene = self._scene
        return Support(
            self.key, self._dispatch.task, scene.run.id, limit, self._vault, scene.shop, scene.group, self._tell
        )

    async def _attempt(self, parameters: dict[str, Any], limit: float, support: Support) -> dict[str, Any]:
        """One call of the provider. Raises a GleitzeitError, whatever the provider raised."""
        method, shop = self._dispatch.task.method, self._scene.shop
        metadata: dict[str, Any] = {}
        leave = enter_task(self._context(limit, support, metadata))
        scope = anyio.CancelScope(deadline=anyio.current_time() + limit)
        try:
            with scope:
                return recorded(await shop.methods.execute(method, parameters), shop.result_bytes)
        except GleitzeitError:
            if not scope.cancel_called:
                raise
        except BaseException as error:
            if not scope.cancel_called:
                raise self._foreign(error) from error
            if isinstance(error, anyio.get_cancelled_exc_class()):
                raise
        finally:
            leave()
            self._metadata = metadata
        raise TimeoutError(f"{method} took longer than {limit:g} s", hint=_TIMEOUT_HINT)

    def _foreign(self, error: BaseException) -> BaseException:
        """What to raise instead of an error that is not ours: itself where it means that this task is to end."""
        if isinstance(error, KeyboardInterrupt | GeneratorExit) or anyio.current_effective_deadline() == -math.inf:
            return error
        return translate(error, self._dispatch.task.method)

    def _context(self, limit: float, support: Support, metadata: dict[str, Any]) -> TaskContext:
        run_id = self._scene.run.id
        return TaskContext(
            run_id,
            self.key,
            self._attempts,
            time.monotonic() + limit,
            f"{run_id}/{self.key}",
            self._scene.roots,
            support,
            metadata,
        )

    async def _after_failure(self, error: GleitzeitError, untold: list[EventDraft]) -> Ending | None:
        """The ending, or none where it is to be tried again, by now."""
        task, failure = self._dispatch.task, self._failure(error)
        repeatable = failure.ambiguous and await self._repeatable()
        verdict = retry.verdict(failure, task.retry, self._attempts, repeatable)
        if verdict != "retry":
            return self._ended("failed" if verdict == "fail" else "unknown", failure, untold)
        clock = self._scene.shop.clock
        seconds = retry.delay(task.retry, self._attempts, clock.jitter())
        facts = {"attempt": self._attempts, "delay": seconds, "error": failure.to_dict()}
        row = TaskRow(self.key, "running", self._attempts, None, failure, self._started_at)
        await self._scene.write([row], [*untold, EventDraft("task.retrying", clock.now(), self.key, facts)])
        await clock.sleep(seconds)
        return None

    async def _repeatable(self) -> bool:
        """Whether its method is declared so. Calls that its own code makes are covered only by read-only."""
        spec = None
        with anyio.move_on_after(_DESCRIBE_SECONDS):
            try:
                spec = await self._scene.shop.methods.describe(self._dispatch.task.method)
            except GleitzeitError:  # the method went away: nothing is declared of it any more
                spec = None
        return spec is not None and (spec.read_only or (spec.idempotent and not self._dispatch.task.calls))

    async def _tell(self, event: EventDraft) -> None:
        await self._scene.write((), (event,))

    def _completed(self, result: dict[str, Any], untold: list[EventDraft]) -> Ending:
        now = self._scene.shop.clock.now()
        result = self._vault.redact(result)
        row = TaskRow(self.key, "completed", self._attempts, result, None, self._started_at, now, None, self._facts())
        return Ending("completed", row, [*untold, EventDraft("task.completed", now, self.key)])

    def _ended(self, state: Any, failure: Failure, untold: list[EventDraft]) -> Ending:
        now = self._scene.shop.clock.now()
        row = TaskRow(self.key, state, self._attempts, None, failure, self._started_at, now, None, self._facts())
        event = EventDraft(f"task.{state}", now, self.key, {"error": failure.to_dict()})
        return Ending(state, row, [*untold, event])

    def _failure(self, error: GleitzeitError) -> Failure:
        redact = self._vault.redact
        hint = None if error.hint is None else redact(error.hint)
        details = redact(_data(dict(error.details)))
        return Failure(error.code, redact(error.message), hint, error.retryable, error.ambiguous, details)

    def _facts(self) -> Mapping[str, Any]:
        return self._vault.redact(_data(self._metadata)) if self._metadata else {}


_TIMEOUT_HINT = "give the task a longer `timeout`, or less to do at once"


def _data(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts as JSON data, or as text where a provider noted something else."""
    try:
        data, _ = measured(facts)
    except GleitzeitError:
        return {"text": repr(facts)[:1000]}
    return dict(data)
