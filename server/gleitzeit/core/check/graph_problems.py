"""Whether every task has an id of its own, and an order in which they can run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.graph import cycle, edges, identify
from gleitzeit.core.models import RESERVED_IDS, Workflow
from gleitzeit.core.reading.marks import Problem


def graph_problems(workflow: Workflow) -> Iterator[Problem]:
    """What is wrong with ids and dependencies."""
    yield from _ids(workflow)
    yield from _dependencies(workflow)
    path = cycle(edges(workflow))
    if path is not None:
        yield _cycle(workflow, path)


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


def _listed(names: Mapping[str, str]) -> str:
    shown = list(names)[:10]
    return ", ".join(shown) + (" ..." if len(names) > 10 else "")
