"""Checking a document against the methods there are."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

from gleitzeit.core.check import Saved, check, placed_methods, saved_names
from gleitzeit.core.data import PathKey, is_mapping, is_sequence
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.document import read
from gleitzeit.core.errors import (
    DocumentError,
    ForbiddenError,
    GleitzeitError,
    MethodNotFoundError,
    ValidationError,
    WorkflowNotFoundError,
)
from gleitzeit.core.graph import edges, waves
from gleitzeit.core.inputs import bind_inputs
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.reading.marks import Problem
from gleitzeit.registry import ProtocolProviderRegistry

Source = str | bytes | Mapping[str, Any] | Workflow

Result = TypeVar("Result")

_Methods = Sequence[tuple[str, tuple[PathKey, ...]]]

_LIGHT = 32 * 1024
"""The characters of a document that is read on the spot."""

Find = Callable[[str], Awaitable[Workflow]]
"""Finds the saved workflow of a name, or raises `WorkflowNotFoundError`."""

Described = MethodSpec | GleitzeitError | None
"""What is known of a method, or why it is not known."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A document as it would run; `workflow` is absent where it can't be read at all.

    `inputs` have their defaults filled in; `waves` are ids of tasks that may run at once; `methods` says which
    provider serves each method.
    """

    workflow: Workflow | None
    inputs: Mapping[str, Any]
    diagnostics: tuple[Diagnostic, ...]
    waves: tuple[tuple[str, ...], ...] = ()
    methods: Mapping[str, str | None] = field(default_factory=dict[str, "str | None"])

    @property
    def errors(self) -> tuple[Diagnostic, ...]:
        """The diagnostics that keep it from running."""
        return tuple(diagnostic for diagnostic in self.diagnostics if diagnostic.severity == "error")

    @property
    def plan(self) -> list[list[dict[str, Any]]]:
        """The tasks that may run together, wave by wave, as JSON data: each with method, provider and conditions."""
        tasks = {} if self.workflow is None else {task.id: task for task in self.workflow.tasks}
        return [[self._step(tasks[task_id]) for task_id in wave] for wave in self.waves]

    def _step(self, task: Task) -> dict[str, Any]:
        step = {"task_id": task.id, "method": task.method, "provider": self.methods.get(task.method)}
        conditions = {"foreach": task.foreach, "when": task.when}
        return step | {key: value for key, value in conditions.items() if value is not None}

    @property
    def valid(self) -> bool:
        """Whether it may be submitted."""
        return self.workflow is not None and not self.errors

    def require(self) -> Workflow:
        """The workflow. Raises `DocumentError` with all that is wrong."""
        if self.workflow is None or self.errors:
            raise DocumentError(self.errors)
        return self.workflow

    def with_inputs(self, given: Mapping[str, Any]) -> Checked:
        """The same with these inputs; what does not fit is one more diagnostic."""
        if self.workflow is None:
            return self
        try:
            return replace(self, inputs=bind_inputs(self.workflow, given))
        except ValidationError as error:
            problem = Diagnostic(error.code, error.message, path="inputs", hint=error.hint)
            return replace(self, inputs=given, diagnostics=(*self.diagnostics, problem))


async def check_source(
    registry: ProtocolProviderRegistry,
    source: Source,
    name: str | None = None,
    permission: Callable[[str], None] = lambda method: None,
    find: Find | None = None,
) -> Checked:
    """A document with everything that is wrong with it; its methods are asked for all at once.

    `find` finds the saved workflows that it runs; without it, nothing is known of them.
    """
    reading = await carried_out(source, partial(read, source, name=name))
    if reading.draft is None:
        return Checked(None, {}, reading.diagnostics)
    workflow = reading.draft
    methods = placed_methods(workflow)
    described = await _describe_all(registry, {method for method, _ in methods})
    saved, missing = await _found(workflow, find)
    specified = {method: _specified(spec) for method, spec in described.items()}
    diagnostics = await carried_out(source, partial(check, reading, specified, saved))
    placed = [*_silent(methods, described), *_refused(methods, permission), *missing]
    checked = Checked(reading.workflow, {}, (*diagnostics, *(problem.placed(reading.positions) for problem in placed)))
    if not checked.valid:
        return checked
    plan = tuple(tuple(wave) for wave in waves(edges(workflow)))
    return replace(checked, waves=plan, methods={method: registry.provider_of(method) for method in described})


async def describe(registry: ProtocolProviderRegistry, method: str) -> Described:
    """What is known of a method, or the error that kept its provider from saying."""
    try:
        return await registry.describe(method)
    except GleitzeitError as error:
        return error


async def carried_out(source: Source, work: Callable[[], Result]) -> Result:
    """The result of `work` on `source`, done in a thread where it would hold up the event loop."""
    return await anyio.to_thread.run_sync(work) if _is_heavy(source) else work()


def _is_heavy(source: Source) -> bool:
    if isinstance(source, (str, bytes)):
        return len(source) > _LIGHT
    pending: list[Any] = [task.parameters for task in source.tasks] if isinstance(source, Workflow) else [source]
    weight = 0
    while pending and weight <= _LIGHT:
        value = pending.pop()
        weight += len(value) if isinstance(value, str) else 16
        if is_mapping(value):
            pending += value.values()
        elif is_sequence(value):
            pending += value
    return weight > _LIGHT


async def _describe_all(registry: ProtocolProviderRegistry, methods: Iterable[str]) -> dict[str, Described]:
    described: dict[str, Described] = {}

    async def enter(method: str) -> None:
        described[method] = await describe(registry, method)

    async with anyio.create_task_group() as group:
        for method in methods:
            group.start_soon(enter, method)
    return described


async def _found(workflow: Workflow, find: Find | None) -> tuple[Saved, list[Problem]]:
    """The saved workflows that a workflow runs; one that is not there may still be saved before it runs."""
    saved: dict[str, Workflow] = {}
    missing: list[Problem] = []
    if find is None:
        return saved, missing
    for name, place in saved_names(workflow).items():
        try:
            saved[name] = await find(name)
        except WorkflowNotFoundError as error:
            missing.append(Problem(error.code, error.message, place, error.hint, severity="warning"))
    return saved, missing


def _specified(described: Described) -> MethodSpec | MethodNotFoundError | None:
    return described if isinstance(described, (MethodSpec, MethodNotFoundError)) else None


def _silent(methods: _Methods, described: Mapping[str, Described]) -> Iterator[Problem]:
    for method, place in methods:
        error = described.get(method)
        if isinstance(error, GleitzeitError) and not isinstance(error, MethodNotFoundError):
            message = f"{method} can't be checked: {error}"
            yield Problem(error.code, message, place, error.hint, severity="warning")


def _refused(methods: _Methods, permission: Callable[[str], None]) -> Iterator[Problem]:
    for method, place in methods:
        try:
            permission(method)
        except ForbiddenError as error:
            yield Problem(error.code, error.message, place, error.hint)
