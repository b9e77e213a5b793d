"""Everything that is wrong with a workflow and can be known before it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gleitzeit.core.check.child_problems import child_problems
from gleitzeit.core.check.graph_problems import graph_problems
from gleitzeit.core.check.inline import inline, named
from gleitzeit.core.check.input_problems import input_problems
from gleitzeit.core.check.parameter_problems import parameter_problems
from gleitzeit.core.check.places import Saved, Specs, Surroundings
from gleitzeit.core.check.reference_kinds import kind_problems
from gleitzeit.core.check.template_problems import output_problems, template_problems
from gleitzeit.core.data import PathKey, path_text
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.document import Reading
from gleitzeit.core.errors import MethodNotFoundError
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.reading.marks import Problem

MAX_INLINE = 8

_TASK = re.compile(r"tasks\[\d+\]")
_NONE: Specs = {}
_NONE_SAVED: Saved = {}


def methods_of(workflow: Workflow) -> set[str]:
    """The methods that a workflow calls, those of workflows inside it among them."""
    return {task.method for task, _ in _all_tasks(workflow)}


def saved_names(workflow: Workflow) -> dict[str, tuple[PathKey, ...]]:
    """The names of the saved workflows that a workflow runs, as far as they stand in it, and where each does."""
    found = ((named(task), path) for task, path in _all_tasks(workflow))
    return {name: (*path, "parameters", "name") for name, path in found if name is not None}


def placed_methods(workflow: Workflow) -> list[tuple[str, tuple[PathKey, ...]]]:
    """The method of each task, those of workflows inside it among them, and where it stands."""
    return [(task.method, (*path, "method")) for task, path in _all_tasks(workflow)]


def _all_tasks(workflow: Workflow) -> Iterator[tuple[Task, tuple[PathKey, ...]]]:
    waiting: list[tuple[Workflow, tuple[PathKey, ...], int]] = [(workflow, (), 0)]
    while waiting:
        current, before, depth = waiting.pop()
        for index, task in enumerate(current.tasks):
            path = (*before, "tasks", index)
            yield task, path
            reading = inline(task) if depth < MAX_INLINE else None
            if reading is not None and reading.workflow is not None:
                waiting.append((reading.workflow, (*path, "parameters", "workflow"), depth + 1))


def check(reading: Reading, specs: Specs = _NONE, saved: Saved = _NONE_SAVED) -> tuple[Diagnostic, ...]:
    """All diagnostics of a document: those of reading it, and those of its meaning.

    A method that is not among `specs` is not checked, and nothing is known of a workflow that is not among the `saved`
    ones. Of a task that could not be read as it stands only that is told: what else seems wrong with it may follow.
    """
    if reading.draft is None:
        return reading.diagnostics
    misread = {_TASK.match(item.path) for item in reading.diagnostics if item.severity == "error"}
    tasks = {match.group() for match in misread if match is not None}
    found = dict.fromkeys(_problems(reading.draft, specs, saved, 0))
    placed = [problem.placed(reading.positions) for problem in found if path_text(problem.path[:2]) not in tasks]
    return (*reading.diagnostics, *sorted(placed, key=lambda item: (item.line or 0, item.column or 0)))


def _problems(workflow: Workflow, specs: Specs, saved: Saved, depth: int) -> Iterator[Problem]:
    yield from input_problems(workflow)
    yield from graph_problems(workflow)
    around = Surroundings.of(workflow, specs, saved)
    for index, task in enumerate(workflow.tasks):
        for problem in _task(task, around, depth):
            yield problem.under(("tasks", index))
    yield from output_problems(workflow, around)


def _task(task: Task, around: Surroundings, depth: int) -> Iterator[Problem]:
    """The problems of one task, at paths inside it."""
    yield from _method(task, around.specs.get(task.method))
    yield from template_problems(task, around)
    spec = around.spec(task)
    if spec is not None:
        yield from parameter_problems(task, spec)
        yield from kind_problems(task, spec, around)
    for problem in _inside(task, around, depth):
        yield problem.under(("parameters", "workflow"))
    yield from child_problems(task, around)


def _method(task: Task, spec: MethodSpec | MethodNotFoundError | None) -> Iterator[Problem]:
    if "${" in task.method or "{{" in task.method:
        hint = "write one task a method, each with its own when"
        yield Problem("reference_misplaced", "the method cannot contain a reference", ("method",), hint)
    elif isinstance(spec, MethodNotFoundError):
        yield Problem("unknown_method", spec.message, ("method",), spec.hint)


def _inside(task: Task, around: Surroundings, depth: int) -> Iterator[Problem]:
    """The problems of a workflow that stands in the parameters of `workflow/run`."""
    reading = around.reading(task)
    if reading is None:
        return
    if depth >= MAX_INLINE:
        hint = "put the tasks of the inner one into the outer one"
        yield Problem("limit", f"workflows are nested deeper than {MAX_INLINE}", (), hint)
        return
    for diagnostic in reading.diagnostics:
        place = f"{diagnostic.path}: " if diagnostic.path else ""
        yield Problem(diagnostic.code, place + diagnostic.message, (), diagnostic.hint, severity=diagnostic.severity)
    if reading.workflow is not None:
        yield from _problems(reading.workflow, around.specs, around.saved, depth + 1)
