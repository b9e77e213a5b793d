"""Workflows that stand in the parameters of `workflow/run`."""

from __future__ import annotations

from gleitzeit.core.data import is_mapping
from gleitzeit.core.document import Reading, read
from gleitzeit.core.models import Task
from gleitzeit.core.nesting import RUN_WORKFLOW
from gleitzeit.core.references import is_one_slot


def inline(task: Task) -> Reading | None:
    """The workflow that a task has in itself, if it has one and it is known before the run."""
    if task.method != RUN_WORKFLOW:
        return None
    workflow = task.parameters.get("workflow")
    if is_mapping(workflow) or (isinstance(workflow, str) and not is_one_slot(workflow)):
        return read(workflow)
    return None


def named(task: Task) -> str | None:
    """The name of the saved workflow that a task runs, if it is known before the run."""
    name = task.parameters.get("name") if task.method == RUN_WORKFLOW and "workflow" not in task.parameters else None
    return name if isinstance(name, str) and "${" not in name else None
