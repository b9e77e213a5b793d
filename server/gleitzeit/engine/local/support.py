"""`Support`: what stands behind the `TaskContext` of a task that is being carried out."""

from __future__ import annotations

import logging
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from anyio.abc import TaskGroup

from gleitzeit.core.errors import ConflictError, UnsupportedError
from gleitzeit.core.models import Run, Task, Workflow
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local.children import allow_call, allow_workflow, call_result, nested_call
from gleitzeit.engine.local.context import EngineParts
from gleitzeit.engine.local.secrets import RunSecrets
from gleitzeit.store.base import EventDraft

logger = logging.getLogger("gleitzeit.engine")

PROGRESS_EVERY = 0.1
_LONGEST_MESSAGE = 1000

Emit = Callable[[EventDraft], Awaitable[None]]


class Support:
    """Progress at most ten times a second, the last report always kept; nested calls; no questions yet."""

    def __init__(
        self,
        key: str,
        task: Task,
        run_id: str,
        *,
        seconds: float,
        secrets: RunSecrets,
        parts: EngineParts,
        group: TaskGroup,
        emit: Emit,
    ) -> None:
        self._key = key
        self._task = task
        self._run_id = run_id
        self._seconds = seconds
        self._secrets = secrets
        self._parts = parts
        self._group = group
        self._emit = emit
        self._latest: EventDraft | None = None
        self._told = -math.inf
        self._later: anyio.CancelScope | None = None
        self._closed = False

    async def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        """Tell whoever watches, now or within a tenth of a second."""
        if self._closed:
            return
        self._latest = self._draft(done, total, message)
        due = self._told + PROGRESS_EVERY - anyio.current_time()
        if due <= 0:
            await self._tell()
        elif self._later is None:
            self._later = anyio.CancelScope()
            self._group.start_soon(self._tell_later, due, self._later)

    def close(self) -> list[EventDraft]:
        """End reporting; what has not been told yet."""
        self._closed = True
        if self._later is not None:
            self._later.cancel()
        latest, self._latest = self._latest, None
        return [] if latest is None else [latest]

    async def start_child(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Run one method as a recorded run of its own, and return its result or raise its error."""
        self._check_open()
        allow_call(self._task, method)
        spec = await self._parts.methods.describe(method)
        document = nested_call(method, parameters, spec.code if spec else (), self._seconds, self._secrets)
        return call_result(await self._child(document, {}))

    async def start_workflow(self, workflow: Workflow, inputs: Mapping[str, Any]) -> Run:
        """Run a checked workflow as a run of its own, for a task that is there for that."""
        self._check_open()
        allow_workflow(self._task)
        return await self._child(workflow, inputs)

    async def ask(self, message: str, schema: Mapping[str, Any] | None) -> Any:
        """Refuse: no question can be put to anybody yet."""
        raise UnsupportedError("questions are not answered by this version", hint="pass the answer as an input instead")

    def _check_open(self) -> None:
        if self._closed:
            raise ConflictError(f"{self._key} is over and calls nothing more")

    async def _child(self, workflow: Workflow, inputs: Mapping[str, Any]) -> Run:
        return await self._parts.child(Submission(workflow, inputs, parent_id=self._run_id, parent_task=self._key))

    async def _tell_later(self, seconds: float, scope: anyio.CancelScope) -> None:
        with scope:
            await anyio.sleep(seconds)
            self._later = None
            await self._tell()

    async def _tell(self) -> None:
        latest, self._latest = self._latest, None
        if latest is None:
            return
        self._told = anyio.current_time()
        try:
            await self._emit(latest)
        except Exception:  # reporting progress must never fail the task that does the work
            logger.exception("progress of %s was lost", self._key)

    def _draft(self, done: Any, total: Any, message: Any) -> EventDraft:
        data = {"done": _number(done), "total": _number(total)}
        facts: dict[str, Any] = {name: value for name, value in data.items() if value is not None}
        if message is not None:
            facts["message"] = self._secrets.redact(str(message)[:_LONGEST_MESSAGE])
        return EventDraft("task.progress", self._parts.clock.now(), self._key, facts)


def _number(value: Any) -> float | int | None:
    fits = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return value if fits else None
