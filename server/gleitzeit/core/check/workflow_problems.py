"""Everything that is wrong with a workflow and can be known before it runs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gleitzeit.core.check.graph_problems import graph_problems
from gleitzeit.core.check.input_problems import input_problems
from gleitzeit.core.check.parameter_problems import parameter_problems
from gleitzeit.core.check.places import Specs, Surroundings
from gleitzeit.core.check.template_problems import output_problems, template_problems
from gleitzeit.core.data import is_mapping, path_text
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.document import Reading, read
from gleitzeit.core.errors import MethodNotFoundError
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.nesting import RUN_WORKFLOW
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.reading.marks import Problem
from gleitzeit.core.references import is_one_slot

MAX_INLINE = 8

_TASK = re.compile(r"tasks\[\d+\]")
_NONE: Specs = {}


def methods_of(workflow: Workflow) -> set[str]:
    """The methods that a workflow calls, those of workflows inside it among them."""
    found: set[str] = set()
    waiting = [(workflow, 0)]
    while waiting:
        current, depth = waiting.pop()
        found.update(task.method for task in current.tasks)
        if depth < MAX_INLINE:
            inner = (_inline(task) for task in current.tasks)
            waiting.extend(
                (item.workflow, depth + 1) for item in inner if item is not None and item.workflow is not None
            )
    return found


def check(reading: Reading, specs: Specs = _NONE) -> tuple[Diagnostic, ...]:
    """All diagnostics of a document: those of reading it, and those of its meaning.

    A method that is not among `specs` is not checked. Of a task that could not be read as it stands only that is told:
    what else seems wrong with it may follow from that.
    """
    if reading.draft is None:
        return reading.diagnostics
    misread = {_TASK.match(item.path) for item in reading.diagnostics if item.severity == "error"}
    tasks = {match.group() for match in misread if match is not None}
    found = dict.fromkeys(_problems(reading.draft, specs, 0))
    placed = [problem.placed(reading.positions) for problem in found if path_text(problem.path[:2]) not in tasks]
    return (*reading.diagnostics, *sorted(placed, key=lambda item: (item.line or 0, item.column or 0)))


def _problems(workflow: Workflow, specs: Specs, depth: int) -> Iterator[Problem]:
    yield from input_problems(workflow)
    yield from graph_problems(workflow)
    around = Surroundings.of(workflow, specs)
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
    for problem in _inside(task, around.specs, depth):
        yield problem.under(("parameters", "workflow"))


def _method(task: Task, spec: MethodSpec | MethodNotFoundError | None) -> Iterator[Problem]:
    if "${" in task.method or "{{" in task.method:
        hint = "write one task a method, each with its own when"
        yield Problem("reference_misplaced", "the method cannot contain a reference", ("method",), hint)
    elif isinstance(spec, MethodNotFoundError):
        yield Problem("unknown_method", spec.message, ("method",), spec.hint)


def _inside(task: Task, specs: Specs, depth: int) -> Iterator[Problem]:
    """The problems of a workflow that stands in the parameters of `workflow/run`."""
    reading = _inline(task)
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
        yield from _problems(reading.workflow, specs, depth + 1)


def _inline(task: Task) -> Reading | None:
    if task.method != RUN_WORKFLOW:
        return None
    workflow = task.parameters.get("workflow")
    if is_mapping(workflow) or (isinstance(workflow, str) and not is_one_slot(workflow)):
        return read(workflow)
    return None
