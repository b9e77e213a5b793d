"""`Support`: what stands behind the `TaskContext` of a task that is being carried out."""

from __future__ import annotations

import abc
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

from gleitzeit.core.errors import ConflictError
from gleitzeit.core.keys import maker_of
from gleitzeit.core.models import Run, Task, Workflow
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local.allowance import Allowance
from gleitzeit.engine.local.answers import Answers
from gleitzeit.engine.local.children import allow_workflow
from gleitzeit.engine.local.context import RunContext
from gleitzeit.engine.local.deadline import Deadline
from gleitzeit.engine.local.inquiry import Inquiry
from gleitzeit.engine.local.questions import Wish, question_of
from gleitzeit.providers.base import TaskContext
from gleitzeit.store.base import EventDraft

_LONGEST_MESSAGE = 1000


class Support(abc.ABC):
    """Progress, child runs and questions of one attempt of the task `key`, which has until `deadline`."""

    __slots__ = (
        "_allowance",
        "_attempt",
        "_closed",
        "_context",
        "_identity",
        "_inquiries",
        "_key",
        "_task",
        "answers",
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
        self.answers = answers
        self._identity = identity
        self._task = task
        self._context = context
        self._attempt = attempt
        self.deadline = deadline
        self.meta = context.meta if meta is None else meta
        self._closed = False
        self._inquiries: list[Inquiry] | None = None
        self._allowance: Allowance | None = None

    @property
    def time_left(self) -> float:
        """Seconds until it has to be over."""
        return self.deadline.remaining

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

    @abc.abstractmethod
    async def start_child(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Run one method as a recorded call of the task, and return its result or raise its error."""

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
        asker, answers = (context.run.id, self._maker_key(), self._identity), self.answers()
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

    def _maker_key(self) -> str:
        """The task or item that the attempt is of."""
        return maker_of(self._key)

    def _check_open(self) -> None:
        if self._closed:
            raise ConflictError(f"{self._key} is over and calls nothing more")

    def _draft(self, done: Any, total: Any, message: Any) -> EventDraft:
        data = {"done": _number(done), "total": _number(total)}
        facts: dict[str, Any] = {name: value for name, value in data.items() if value is not None}
        if message is not None:
            facts["message"] = self._context.secrets.redact(str(message))[:_LONGEST_MESSAGE]
        return EventDraft("task.progress", self._context.parts.clock.now(), self._key, facts)


def _number(value: Any) -> float | int | None:
    """A number that arithmetic can be done with: an integer may be too large for that, and has no `isfinite` then."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and -sys.float_info.max <= value <= sys.float_info.max else None
