"""`ProtocolProvider`: what a provider implements. `current_task()`: what it may ask of the task it carries out."""

from __future__ import annotations

import abc
import inspect
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self, cast
from typing import Protocol as Interface

from pydantic import BaseModel

from gleitzeit.core.errors import ConfigurationError, UnsupportedError
from gleitzeit.core.findings import Finding, health_finding
from gleitzeit.core.models import Run, Workflow
from gleitzeit.core.protocol import MethodSpec, Protocol, prefix_of
from gleitzeit.core.schema import check_parameters
from gleitzeit.providers.files import file_in

NOT_CACHED = "not_cached"
"""The fact in a task's metadata that says why its result is not kept."""


class TaskSupport(Interface):
    """What the engine puts behind a `TaskContext`."""

    async def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        """Tell whoever watches how far the task is."""
        ...

    async def start_child(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Run one method as a recorded call of the task and return its result."""
        ...

    async def start_workflow(self, workflow: Workflow, inputs: Mapping[str, Any]) -> Run:
        """Run a checked workflow as a child of the task, and return it once it is over."""
        ...

    async def ask(
        self,
        message: str,
        schema: Mapping[str, Any] | None,
        *,
        person: bool = False,
        seconds: float | None = None,
        default: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Put a question to the person behind the run and wait for the answer.

        Nobody but a `person` may answer where it says so; after `seconds` the answer is `default`.
        """
        ...


class Readiness(Interface):
    """How a long-running task says that it stands; `anyio.abc.TaskStatus` is one."""

    def started(self) -> None:
        """Let whoever started the task go on."""
        ...


class Detached:
    """Stands behind a provider that is called outside of any run, as in a unit test."""

    async def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        """Tell nobody."""

    async def start_child(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Refuse."""
        raise UnsupportedError(f"{method} was called outside of a run", hint="run the task with GleitzeitClient")

    async def start_workflow(self, workflow: Workflow, inputs: Mapping[str, Any]) -> Run:
        """Refuse."""
        raise UnsupportedError("a workflow was started outside of a run", hint="submit it with GleitzeitClient")

    async def ask(
        self,
        message: str,
        schema: Mapping[str, Any] | None,
        *,
        person: bool = False,
        seconds: float | None = None,
        default: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Refuse."""
        raise UnsupportedError("a question was asked outside of a run", hint="run the task with GleitzeitClient")


@dataclass(frozen=True, slots=True)
class TaskContext:
    """The task that is being carried out: who it is, how long it has, and what it may ask for.

    `deadline` is on the clock of `time.monotonic`, as it was at the beginning: waiting for answers moves it, which
    `remaining`, by `time_left`, knows. `idempotency_key` is the same for every attempt of the task. `roots` are the
    only folders that paths in parameters may lie in. `caller` is whose run it is.
    `meta` is what came with the request that the run was made for: `traceparent`, `tracestate`, and where it came from.
    """

    run_id: str = ""
    task_id: str = ""
    attempt: int = 1
    deadline: float | None = None
    idempotency_key: str = ""
    roots: tuple[Path, ...] = ()
    support: TaskSupport = field(default_factory=Detached)
    metadata: dict[str, Any] = field(default_factory=dict[str, Any])
    caller: str = "local"
    meta: Mapping[str, str] = field(default_factory=dict[str, str])
    time_left: Callable[[], float] | None = None

    @property
    def remaining(self) -> float | None:
        """Seconds left until the deadline, never below zero; without an end while a question is open."""
        if self.time_left is not None:
            return max(0.0, self.time_left())
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())

    async def report_progress(
        self, done: float | None = None, total: float | None = None, message: str | None = None
    ) -> None:
        """Tell whoever watches how far the task is; never fails, and costs nothing where nobody watches."""
        await self.support.progress(done, total, message)

    async def call(self, method: str, parameters: Mapping[str, Any] | None = None) -> Any:
        """Run another method as a recorded call of this task and return its result.

        A later attempt of the task gets the result of a completed call without a second execution, if it makes the same
        call. Raises `ForbiddenError` where the task's `calls` do not name it, `ConflictError` where the code calls
        something else than it did before, and what the method itself raises.
        """
        return await self.support.start_child(method, parameters or {})

    async def ask(self, message: str, schema: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Ask the person behind the run, and wait as long as it takes for an answer: an object that fits `schema`.

        The time limit of the task stands still meanwhile. A later attempt that asks the same gets the answer that this
        one had, and where it had none the same question goes on. Raises `QuestionDeclinedError` where the answer is
        refused, `ValidationError` for a schema that is none, `LimitError` for too many questions, and `CancelledError`
        where the attempt ends first.
        """
        return await self.support.ask(message, schema)

    def record(self, **facts: Any) -> None:
        """Add facts about the execution to the task's metadata."""
        self.metadata.update(facts)

    def keep_out_of_cache(self, reason: str) -> None:
        """Have this result not kept for tasks like it, although the task's `cache` asks for that: it is not whole."""
        self.metadata[NOT_CACHED] = reason

    def path(self, name: str) -> Path:
        """The file that a parameter names, inside the roots: relative to the first root that has it.

        Raises `NotFoundError` where there is none, and `ForbiddenError` where it would lie outside of all of them.
        """
        return file_in(self.roots, name)


_current: ContextVar[TaskContext | None] = ContextVar("gleitzeit_task", default=None)


def current_task() -> TaskContext:
    """The task that is being carried out; outside of a run, one that reports to nobody."""
    return _current.get() or TaskContext()


def enter_task(context: TaskContext) -> Callable[[], None]:
    """Make `context` the current task; call what is returned to leave it. For engines, not for providers."""
    token = _current.set(context)
    return lambda: _current.reset(token)


@dataclass(frozen=True, slots=True)
class CacheKey:
    """What decides a result beside its method and parameters, and whether it would come out the same again.

    `facts` are JSON data, such as the digest of a model. A result that is not `repeatable` is kept only where the
    task's `cache` has `force`; `reason` says why it is not, such as `a temperature above 0 without a seed`.
    """

    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    repeatable: bool = True
    reason: str = ""


class ProtocolProvider(abc.ABC):
    """Carries out the methods of one protocol. Only `handle_request` has to be written.

    `config_model`, if given, checks the configuration section that the provider is built from.
    """

    protocol: Protocol | None = None
    config_model: ClassVar[type[BaseModel] | None] = None
    _listeners: tuple[Callable[[], None], ...] = ()

    def __init__(
        self,
        provider_id: str,
        protocol_id: str,
        name: str | None = None,
        description: str | None = None,
        version: str = "1.0.0",
        resource_manager: Any = None,
        hub: Any = None,
    ) -> None:
        self.provider_id = provider_id
        self.protocol_id = protocol_id
        self.name = name or type(self).__name__
        self.description = description or ""
        self.version = version
        self.resource_manager = resource_manager
        self.hub = hub

    @classmethod
    def from_config(cls, provider_id: str, config: BaseModel | Mapping[str, Any]) -> Self:
        """The provider that an entry point names, built from its section: a `config_model` where it has one.

        By default the class is called with `provider_id` and `config`, the section as a dict with the model's
        defaults. Raises `ConfigurationError` where it does not take them.
        """
        section = config.model_dump() if isinstance(config, BaseModel) else dict(config)
        try:
            inspect.signature(cls).bind(provider_id=provider_id, config=section)
        except TypeError as error:
            raise ConfigurationError(
                f"{cls.__name__} can't be built with provider_id and config: {error}",
                hint=f"override from_config(cls, provider_id, config) in {cls.__name__}",
            ) from None
        # The arguments are those of the derived class, which this one does not declare.
        return cast("Callable[..., Self]", cls)(provider_id=provider_id, config=section)

    @abc.abstractmethod
    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Carry out one request and return its result as JSON data, best as a dict.

        Raise `ValidationError` for wrong parameters and `ProviderError` for what went wrong.
        """

    async def initialize(self) -> None:
        """Open connections; called once, before the first request."""

    async def serve(self, *, task_status: Readiness) -> None:
        """Run whatever lives as long as the provider, such as open connections, in a task that the registry owns.

        Started once after `initialize`, cancelled and awaited before `shutdown`. Requests come as soon as it calls
        `task_status.started()`, so nothing slow belongs before that; by default there is nothing to run.
        """
        task_status.started()

    async def shutdown(self) -> None:
        """Close what `initialize` opened; called once."""

    async def health_check(self) -> dict[str, Any] | bool:
        """Whether requests have a chance; a dict's `status` is `healthy` where they do."""
        return {"status": "healthy", "provider": self.provider_id, "protocol": self.protocol_id}

    async def examine(self) -> Sequence[Finding]:
        """What a person should know who asks what is wrong: each finding with its fix; by default how healthy it is.

        Called while it is started; it may take its time, and look at what requests never do.
        """
        return [health_finding(self.provider_id, await self.health_check())]

    async def examine_settings(self) -> Sequence[Finding]:
        """What can be said of its settings before it is started, and without starting anything; by default nothing."""
        return []

    def get_supported_methods(self) -> list[str]:
        """The names it serves, `*` standing for any ending; by default those of its protocol."""
        if self.protocol is not None:
            return list(self.protocol.methods)
        return [prefix_of(self.protocol_id) + "*"]

    def names_of(self, method: str) -> Sequence[str]:
        """All names by which the same method is called: what a policy says of one of them holds for all."""
        return (method,)

    async def describe(self, method: str) -> MethodSpec | None:
        """What `method` takes and returns, as far as it is known before it is called.

        Raises `MethodNotFoundError` for a name that looks like its own but is not.
        """
        return self.protocol.methods.get(method) if self.protocol is not None else None

    async def list_methods(self) -> Sequence[MethodSpec]:
        """All methods it can describe now, those found at run time among them."""
        specs: Mapping[str, MethodSpec] = self.protocol.methods if self.protocol is not None else {}
        return [specs.get(name) or MethodSpec(name=name) for name in self.get_supported_methods()]

    def announce(self) -> None:
        """Tell whoever shows methods that `list_methods` has others now, such as those of a server that is up."""
        for tell in self._listeners:
            tell()

    def heard_by(self, listener: Callable[[], None]) -> None:
        """Have `listener` called whenever methods are announced. For registries, not for providers."""
        if listener not in self._listeners:
            self._listeners = (*self._listeners, listener)

    async def cache_key(self, method: str, parameters: dict[str, Any]) -> CacheKey | None:
        """Under what the result of a request is kept for a task with `cache`; None where it never is, not even forced.

        Called before `validate_request`: the parameters may be wrong, and whatever is raised only means that nothing is
        kept. `current_task` has the folders that paths may lie in, but reports and calls nothing yet. A provider that
        has this is started for it. By default nothing else decides.
        """
        return CacheKey()

    async def validate_request(self, method: str, parameters: dict[str, Any]) -> None:
        """Check the parameters of each request before it is carried out; by default against the method's JSON Schema.

        Raises `ValidationError` naming the parameter.
        """
        spec = await self.describe(method)
        if spec is not None:
            check_parameters(method, spec.parameters, parameters)
