"""The document (`Workflow`, `Task`, `Retry`) and what happened (`Run`, `TaskResult`, `Failure`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, Self, cast

from annotated_types import Ge, Gt, Le, MaxLen, MinLen

from gleitzeit.core.adapting import Pattern, from_data, to_data
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import ERRORS, DocumentError, GleitzeitError

TaskState = Literal["pending", "ready", "running", "waiting", "completed", "failed", "skipped", "cancelled", "unknown"]
RunState = Literal["pending", "running", "waiting", "completed", "failed", "cancelled"]

OVER: frozenset[str] = frozenset({"completed", "failed", "skipped", "cancelled"})
"""The states that nothing leaves by itself."""

RESERVED_IDS: frozenset[str] = frozenset(
    "tasks steps inputs input item index run secrets "
    "true false null in as break const continue else for function if import let loop package namespace return "
    "var void while".split()
)
"""Names that no task may have, for they mean something else inside `${...}`."""

TaskId = Annotated[str, Pattern(r"^[A-Za-z_][A-Za-z0-9_-]{0,63}$")]
Seconds = Annotated[float, Gt(0), Le(31_536_000)]
Delay = Annotated[float, Ge(0), Le(86_400)]
Parallel = Annotated[int, Ge(1), Le(10_000)]


class _Part:
    """Part of a document: a dataclass that pydantic validates, under pydantic's own names.

    The constructor itself checks nothing, so that a document shows all its problems at once when it is submitted.
    """

    __slots__ = ()
    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}

    @classmethod
    def model_validate(cls, data: Any) -> Self:
        """`data` as this part. Raises `pydantic.ValidationError` with everything that does not fit."""
        return from_data(cls, data)

    def model_dump(self) -> dict[str, Any]:
        """JSON data, without what is at its default."""
        return to_data(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry(_Part):
    """How often and how soon a task is tried again; delays are in seconds."""

    max_attempts: Annotated[int, Ge(1), Le(1000)] = 1
    delay: Delay = 1.0
    exponential_backoff: bool = False
    max_delay: Delay = 60.0
    ambiguous: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache(_Part):
    """How long, in seconds, a result may be used again for the same method and parameters.

    With `force` also one that would not come out the same again.
    """

    ttl: Seconds
    force: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Task(_Part):
    """One step: a method, its parameters, and when and how it runs."""

    id: TaskId
    method: Annotated[str, MinLen(1), MaxLen(256)]
    name: str | None = None
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    dependencies: tuple[str, ...] = ()
    when: str | bool | None = None
    trigger_rule: Literal["all_success", "all_done"] = "all_success"
    foreach: str | list[Any] | None = None
    max_parallel: Parallel | None = None
    retry: Retry = Retry()
    timeout: Seconds | None = None
    on_error: Literal["fail", "continue"] = "fail"
    retry_on_crash: bool | None = None
    calls: tuple[str, ...] = ()
    cache: Cache | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "dependencies", tuple(self.dependencies))
        object.__setattr__(self, "calls", tuple(self.calls))


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings(_Part):
    """Limits of a whole run; times are in seconds."""

    max_parallel_tasks: Parallel = 16
    default_timeout: Seconds = 300.0
    timeout: Seconds | None = None
    continue_on_error: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Workflow(_Part):
    """A document as it is run and saved: tasks, their dependencies, inputs and outputs."""

    name: Annotated[str, MinLen(1), MaxLen(128)] = "workflow"
    description: str = ""
    inputs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    tasks: Annotated[tuple[Task, ...], MinLen(1)]
    outputs: dict[str, Any] | None = None
    settings: Settings = Settings()

    def __post_init__(self) -> None:
        object.__setattr__(self, "tasks", tuple(self.tasks))

    def canonical(self) -> dict[str, Any]:
        """The document as JSON data, in the form it is saved in, without defaults."""
        return self.model_dump()


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task or run failed, in words for a person or a model."""

    code: str
    message: str
    hint: str | None = None
    retryable: bool = False
    ambiguous: bool = False
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @classmethod
    def of(cls, error: GleitzeitError) -> Failure:
        """What remains of an error when it is recorded."""
        return cls(error.code, error.message, error.hint, error.retryable, error.ambiguous, error.details)

    def to_error(self) -> GleitzeitError:
        """An error of the kind that was recorded, to be raised again; a `DocumentError` has its diagnostics."""
        kind = ERRORS.get(self.code, GleitzeitError)
        if issubclass(kind, DocumentError):
            diagnostics = [Diagnostic(**diagnostic) for diagnostic in self.details.get("diagnostics", ())]
            return kind(diagnostics, message=self.message, hint=self.hint, details=self.details)
        return kind(
            self.message,
            hint=self.hint,
            code=self.code,
            retryable=self.retryable,
            ambiguous=self.ambiguous,
            details=self.details,
        )

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message

    def to_dict(self) -> dict[str, Any]:
        """The failure as JSON data, without what is absent."""
        values: dict[str, Any] = {"code": self.code, "message": self.message, "retryable": self.retryable}
        if self.hint:
            values["hint"] = self.hint
        if self.ambiguous:
            values["ambiguous"] = True
        if self.details:
            values["details"] = dict(self.details)
        return values


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What became of one task; `task_result["field"]` reads its result. Times are seconds since the epoch.

    `metadata` has facts about the execution (provider, attempts' durations, node), never part of the result.
    `not_before` is when the next attempt of a `ready` task is due.
    """

    task_id: str
    status: TaskState
    result: Any = None
    error: Failure | None = None
    attempts: int = 0
    started_at: float | None = None
    finished_at: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])
    not_before: float | None = None

    def __getitem__(self, key: str) -> Any:
        """A field of the result; the whole result under `result` where it has no such field."""
        fields = self._fields
        return self.result if key == "result" and key not in fields else fields[key]

    def __contains__(self, key: object) -> bool:
        return key in self._fields

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    @property
    def _fields(self) -> Mapping[str, Any]:
        result: Any = self.result
        return cast("Mapping[str, Any]", result) if isinstance(result, Mapping) else {}

    def get(self, key: str, default: Any = None) -> Any:
        """A field of the result, or `default` where there is none."""
        try:
            return self[key]
        except KeyError:
            return default

    def to_dict(self) -> dict[str, Any]:
        """The task's result as JSON data."""
        return {
            "task_id": self.task_id,
            "status": self.status,
            "result": self.result,
            "error": self.error.to_dict() if self.error else None,
            "attempts": self.attempts,
            "started_at": self.started_at,
            "finished_at": self.finished_at,
            "metadata": dict(self.metadata),
            **({} if self.not_before is None else {"not_before": self.not_before}),
        }


@dataclass(frozen=True, slots=True)
class Question:
    """What a task wants to know from a person; the answer is an object that fits `schema`.

    `task_id` is the task of this run that waits for it, or an item such as `send[3]`, be it that a run which it has
    started asks. `asked_at` is seconds since the epoch; so is `expires_at`, after which `default`, if there is one, is
    the answer. What is for a `person` is answered by nobody else; an `approval` has the method and the parameters that
    are carried out where it is given.
    """

    id: str
    task_id: str
    message: str
    schema: Mapping[str, Any]
    asked_at: float
    person: bool = False
    expires_at: float | None = None
    default: Mapping[str, Any] | None = None
    approval: Mapping[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """The question as JSON data, without what it does not have."""
        data: dict[str, Any] = {
            "question_id": self.id,
            "task_id": self.task_id,
            "message": self.message,
            "schema": dict(self.schema),
            "asked_at": self.asked_at,
        }
        if self.person:
            data["person"] = True
        if self.expires_at is not None:
            data["expires_at"] = self.expires_at
        if self.default is not None:
            data["default"] = dict(self.default)
        if self.approval is not None:
            data["approval"] = dict(self.approval)
        return data

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Question:
        """The question that `to_dict` wrote down."""
        return cls(
            id=data["question_id"],
            task_id=data["task_id"],
            message=data["message"],
            schema=data["schema"],
            asked_at=data["asked_at"],
            person=data.get("person", False),
            expires_at=data.get("expires_at"),
            default=data.get("default"),
            approval=data.get("approval"),
        )


@dataclass(frozen=True, slots=True)
class Run:
    """What became of one submitted workflow. Times are seconds since the epoch.

    `tasks` is by task id, in the order of the document. `outputs` is what the document's `outputs` say, else the
    results of the tasks that nobody depends on; it is empty until the run is completed. `questions` are those that
    are open, oldest first; while there are any, its status is `waiting`, though other tasks may run.
    """

    id: str
    name: str
    status: RunState
    inputs: Mapping[str, Any]
    tasks: Mapping[str, TaskResult]
    outputs: Mapping[str, Any]
    error: Failure | None = None
    created_at: float = 0.0
    finished_at: float | None = None
    parent_id: str | None = None
    resumed_from: str | None = None
    seq: int = 0
    questions: Sequence[Question] = ()

    @property
    def over(self) -> bool:
        """Whether nothing more will happen to it by itself."""
        return self.status in OVER

    def to_dict(self) -> dict[str, Any]:
        """The run as JSON data."""
        return {
            "run_id": self.id,
            "name": self.name,
            "status": self.status,
            "inputs": dict(self.inputs),
            "outputs": dict(self.outputs),
            "error": self.error.to_dict() if self.error else None,
            "tasks": {task_id: task.to_dict() for task_id, task in self.tasks.items()},
            "created_at": self.created_at,
            "finished_at": self.finished_at,
            "parent_id": self.parent_id,
            "resumed_from": self.resumed_from,
            **({"questions": [question.to_dict() for question in self.questions]} if self.questions else {}),
        }


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in a run; `seq` counts from 1 within the run and never repeats.

    `kind` is one of run.submitted, run.recovered, run.completed, run.failed, run.cancelled, task.started,
    task.progress, task.retrying, task.waiting, task.completed, task.failed, task.skipped, task.cancelled, task.unknown,
    question.asked, question.answered, question.expired, question.withdrawn.
    `task_id` is `name` or, for an item of a foreach, `name[3]`. `at` is seconds since the epoch.
    """

    run_id: str
    seq: int
    kind: str
    at: float
    task_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON data."""
        return {
            "run_id": self.run_id,
            "seq": self.seq,
            "kind": self.kind,
            "at": self.at,
            "task_id": self.task_id,
            "data": dict(self.data),
        }
