"""The `Engine` contract: submit, watch, wait for, cancel and resume runs."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from gleitzeit.core.decisions import Decision
from gleitzeit.core.models import Event, Run, TaskResult, Workflow


@dataclass(frozen=True, slots=True)
class Submission:
    """A checked workflow and what it is run with.

    `inputs` are complete: defaults filled in, types checked. `roots` are the folders its paths may lie in.
    The same `idempotency_key` of the same caller, document and inputs gives the same run. `attempt` tells the child
    runs of one attempt of a task from those of the next. `meta` is what came with the request, such as its trace: it
    reaches the tasks of the run and of its children while this process carries them out, and is not kept.

    Who is `patient` waits for the run anyway, and hears that it is accepted when its first results are written: what
    only reads begins before anything is.
    """

    workflow: Workflow
    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    caller: str = "local"
    roots: tuple[Path, ...] = ()
    parent_id: str | None = None
    parent_task: str | None = None
    run_id: str | None = None
    idempotency_key: str | None = None
    attempt: int = 1
    meta: Mapping[str, str] = field(default_factory=dict[str, str])
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Resumption:
    """How a run is taken up again.

    `workflow` and `inputs`, if given, replace those of the run; they are checked and complete. `from_task` and what
    depends on it run again although they are completed. `unknown` decides on tasks, and items such as `send[3]`.
    """

    workflow: Workflow | None = None
    inputs: Mapping[str, Any] | None = None
    from_task: str | None = None
    unknown: Mapping[str, Decision] = field(default_factory=dict[str, Decision])

    @property
    def plain(self) -> bool:
        """Whether nothing is changed or decided."""
        return self.workflow is None and self.inputs is None and self.from_task is None and not self.unknown


@dataclass(frozen=True, slots=True)
class Reply:
    """What somebody says to a question: `content` is the answer where the action is `accept`.

    `default`: nobody has said anything, and its time was over.
    """

    action: Literal["accept", "decline", "cancel"]
    content: Mapping[str, Any] = field(default_factory=dict[str, Any])
    answered_by: Literal["person", "model", "program", "default"] = "program"

    def to_dict(self) -> dict[str, Any]:
        """The reply as JSON data."""
        return {"action": self.action, "content": dict(self.content), "answered_by": self.answered_by}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Reply:
        """The reply that `to_dict` wrote down."""
        return cls(data["action"], data["content"], data["answered_by"])


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run as lists show it. Times are seconds since the epoch."""

    id: str
    name: str
    status: str
    created_at: float
    finished_at: float | None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class RunList:
    """Runs, newest first; `cursor` asks for the next page."""

    runs: Sequence[RunSummary]
    cursor: str | None = None


class Engine(abc.ABC):
    """Runs workflows. `caller` limits what is seen to one caller's runs; None sees all.

    Every method that takes a `run_id` raises `RunNotFoundError` where the caller has no such run.
    """

    @abc.abstractmethod
    def check_ready(self) -> None:
        """Raise `LimitError`, `StoreError` or `ConflictError` where no run would be accepted now, if that is known."""

    @abc.abstractmethod
    async def submit(self, submission: Submission) -> Run:
        """Accept a run, durably, and start it.

        Raises `ConflictError` where the idempotency key was used for something else, `LimitError` (retryable) where
        too many runs are open, and `StoreError` where it can't be recorded now.
        """

    @abc.abstractmethod
    async def record(self, submission: Submission) -> Run:
        """Accept a run, durably, and leave it to any process that takes up runs. Raises as `submit` does."""

    @abc.abstractmethod
    async def get(self, run_id: str, *, caller: str | None = None) -> Run:
        """The run as it stands now."""

    @abc.abstractmethod
    async def results(self, run_id: str, *, caller: str | None = None) -> Mapping[str, TaskResult]:
        """What became of each task by its id, and of each item (`id[3]`) and call (`id/2`) that has begun."""

    @abc.abstractmethod
    async def wait(self, run_id: str, timeout: float | None = None, *, caller: str | None = None) -> Run:
        """The run once it is over, waits for a decision or an answer, or as it stands after `timeout` seconds."""

    @abc.abstractmethod
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

    @abc.abstractmethod
    async def cancel(self, run_id: str, reason: str = "", *, caller: str | None = None) -> Run:
        """Stop a run and its children, whichever process carries it out; one that is over stays as it is."""

    @abc.abstractmethod
    async def resume(self, run_id: str, resumption: Resumption, *, caller: str | None = None) -> Run:
        """Take a run up again where it was left.

        A run that nobody carries out any more goes on as it is. One that is over, or waits for a decision, is resumed
        by a new run, linked to it: results whose task, inputs and dependencies did not change are kept. One that
        waits is closed by that. Raises `ConflictError` while somebody carries it out, where there is nothing left to
        do, and where tasks whose end is unknown are not all decided; `ValidationError` for a task that there is not.
        """

    @abc.abstractmethod
    async def answer(self, run_id: str, question_id: str, reply: Reply, *, caller: str | None = None) -> Run:
        """Answer an open question of a run, or of one that it has started; the run as it stands then.

        Whoever carries the run out, be it another process or nobody, the answer is recorded. A process that does and
        takes it later than within seconds still does: the question is shown as open until then. Raises
        `ValidationError`, naming the field, for an answer that does not fit: the question stays open then.
        `ForbiddenError` for one that only a person may give. `NotFoundError` for a question that was never asked;
        `ConflictError` for one that is not open any more.
        """

    @abc.abstractmethod
    async def document(self, run_id: str, *, caller: str | None = None) -> Workflow:
        """The document that the run was submitted with."""

    @abc.abstractmethod
    def events(
        self, run_id: str, after: int = 0, *, caller: str | None = None, patient: bool = False
    ) -> AsyncIterator[Event]:
        """The run's events after `after`, as they happen, until it is over or waits for a decision and all are told.

        Where `patient`, also while it waits for a decision.
        """
