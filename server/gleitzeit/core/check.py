"""Everything that is wrong with a workflow and can be known before it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gleitzeit.core.checks.inputs import input_problems
from gleitzeit.core.checks.parameters import parameter_problems
from gleitzeit.core.checks.references import Surroundings, output_problems, task_problems
from gleitzeit.core.data import is_mapping
from gleitzeit.core.diagnostics import Diagnostic, did_you_mean
from gleitzeit.core.document import Reading, read
from gleitzeit.core.errors import MethodNotFoundError
from gleitzeit.core.graph import cycle, edges, identify
from gleitzeit.core.models import RESERVED_IDS, Task, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.reading.marks import Problem

Specs = Mapping[str, MethodSpec | MethodNotFoundError | None]

MAX_INLINE = 8
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

    `specs` says of each method what it takes: a `MethodSpec`, the error of a method that is not there, or None where
    nothing is known about it. A method that is not among them is not checked.
    """
    if reading.workflow is None:
        return reading.diagnostics
    found = dict.fromkeys(_problems(reading.workflow, specs, 0))
    placed = [problem.placed(reading.positions) for problem in found]
    return (*reading.diagnostics, *sorted(placed, key=lambda item: (item.line or 0, item.column or 0)))


def _problems(workflow: Workflow, specs: Specs, depth: int) -> Iterator[Problem]:
    yield from input_problems(workflow)
    yield from _ids(workflow)
    yield from _dependencies(workflow)
    path = cycle(edges(workflow))
    if path is not None:
        yield _cycle(workflow, path)
    around = Surroundings.of(workflow, specs)
    for index, task in enumerate(workflow.tasks):
        where = ("tasks", index)
        spec = specs.get(task.method)
        for problem in _method(task, spec):
            yield problem.under(where)
        described = spec if isinstance(spec, MethodSpec) else None
        for problem in task_problems(task, around, described):
            yield problem.under(where)
        if described is not None:
            for problem in parameter_problems(task, described):
                yield problem.under(where)
        for problem in _inside(task, specs, depth):
            yield problem.under((*where, "parameters", "workflow"))
    yield from output_problems(workflow, around)


def _ids(workflow: Workflow) -> Iterator[Problem]:
    seen: dict[str, int] = {}
    for index, task in enumerate(workflow.tasks):
        where = ("tasks", index, "id")
        if task.id in seen:
            message = f'the id "{task.id}" is already that of tasks[{seen[task.id]}]'
            yield Problem("duplicate_id", message, where, "give each task an id of its own")
        seen.setdefault(task.id, index)
        if task.id in RESERVED_IDS:
            yield Problem(
                "reserved_id", f'"{task.id}" means something else in ${{...}}', where, f"call it {task.id}_task"
            )


def _dependencies(workflow: Workflow) -> Iterator[Problem]:
    ids = identify(workflow)
    for index, task in enumerate(workflow.tasks):
        for position, name in enumerate(task.dependencies):
            where = ("tasks", index, "dependencies", position)
            if name not in ids:
                hint = did_you_mean(name, ids) or f"the tasks are {_listed(ids)}"
                yield Problem("unknown_dependency", f'there is no task "{name}"', where, hint)


def _cycle(workflow: Workflow, path: list[str]) -> Problem:
    index = next(index for index, task in enumerate(workflow.tasks) if task.id == path[0])
    shown = " -> ".join(path)
    if len(path) == 2:
        return Problem(
            "cycle",
            f'"{path[0]}" depends on itself',
            ("tasks", index),
            "remove it from its own dependencies and references",
        )
    hint = f'remove a dependency or reference, for example that of "{path[1]}" on "{path[0]}"'
    return Problem("cycle", f"the tasks wait for each other: {shown}", ("tasks", index), hint)


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
        yield Problem(
            "limit", f"workflows are nested deeper than {MAX_INLINE}", (), "save the inner one and run it by name"
        )
        return
    for diagnostic in reading.diagnostics:
        place = f"{diagnostic.path}: " if diagnostic.path else ""
        yield Problem(
            diagnostic.code, place + diagnostic.message, (), diagnostic.hint, warning=diagnostic.severity == "warning"
        )
    if reading.workflow is not None:
        yield from _problems(reading.workflow, specs, depth + 1)


def _inline(task: Task) -> Reading | None:
    if task.method != "workflow/run":
        return None
    workflow = task.parameters.get("workflow")
    if is_mapping(workflow) or (isinstance(workflow, str) and "\n" in workflow):
        return read(workflow)
    return None


def _listed(names: Mapping[str, str]) -> str:
    shown = list(names)[:10]
    return ", ".join(shown) + (" ..." if len(names) > 10 else "")
