"""Which tasks mean the same in another version of their document, and with other inputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core import graph
from gleitzeit.core.digest import canonical_text
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.references import Path, Reference


class TaskChanges:
    """The difference between two versions of a workflow with their inputs, task by task."""

    def __init__(
        self, before: Workflow, after: Workflow, inputs_before: Mapping[str, Any], inputs_after: Mapping[str, Any]
    ) -> None:
        self._before = _Version(before)
        self._after = _Version(after)
        names = {*inputs_before, *inputs_after}
        self._inputs = frozenset(name for name in names if not _same_field(name, inputs_before, inputs_after))
        self.none: bool = not self._inputs and _same(before.canonical(), after.canonical())

    def spared(self, task_id: str) -> bool:
        """Whether nothing changed that decides the task's result, apart from what it depends on."""
        before, after = self._before, self._after
        if task_id not in before.tasks or not _same(before.definition(task_id), after.definition(task_id)):
            return False
        if not self._inputs:
            return True
        used = inputs_used(after.tasks[task_id])
        return used is not None and not used & self._inputs

    def as_tolerant(self, task_id: str) -> bool:
        """Whether a failure of one of its items counts as it did before."""
        return self._before.tolerates(task_id) == self._after.tolerates(task_id)


def inputs_used(task: Task) -> frozenset[str] | None:
    """The names of the inputs that a task refers to; nothing where that may be any of them."""
    used: set[str] = set()
    for reference in graph.references_of(task):
        names = _names(reference)
        if names is None:
            return None
        used |= names
    return frozenset(used)


def _names(reference: Reference) -> frozenset[str] | None:
    if isinstance(reference, Path):
        return reference.inputs if reference.keys or reference.kind != "inputs" else None
    branches = [reference.branches[head] for head in ("inputs", "input") if head in reference.branches]
    if any(branch.whole for branch in branches):
        return None
    return frozenset(str(name) for branch in branches for name in branch.fields)


class _Version:
    def __init__(self, workflow: Workflow) -> None:
        self.tasks = {task.id: task for task in workflow.tasks}
        self._edges = graph.edges(workflow)
        self._lenient = workflow.settings.continue_on_error

    def definition(self, task_id: str) -> dict[str, Any]:
        task = self.tasks[task_id]
        return {
            "method": task.method,
            "parameters": task.parameters,
            "when": task.when,
            "foreach": task.foreach,
            "needs": sorted(self._edges[task_id]),
            "trigger_rule": task.trigger_rule,
            "calls": sorted(task.calls),
        }

    def tolerates(self, task_id: str) -> bool:
        return self._lenient or self.tasks[task_id].on_error == "continue"


def _same_field(name: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return name in one and name in other and _same(one[name], other[name])


def _same(one: Any, other: Any) -> bool:
    return one is other or canonical_text(one) == canonical_text(
        other
    )  # Python's own comparison calls 1 and true equal
