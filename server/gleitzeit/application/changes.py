"""A run's document and inputs as they are wanted when it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_list, is_mapping
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ValidationError
from gleitzeit.core.models import Workflow


def changed_document(workflow: Workflow, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The document with some keys of some tasks changed: mappings are merged, null removes a key (as in RFC 7396).

    Raises `ValidationError` naming the nearest task where there is none of that id.
    """
    document = workflow.canonical()
    tasks: dict[str, dict[str, Any]] = {task["id"]: task for task in document["tasks"]}
    for task_id, keys in changes.items():
        if task_id not in tasks:
            hint = did_you_mean(task_id, tasks) or f"the tasks are {', '.join([*tasks][:20])}"
            raise ValidationError(f'changes: there is no task "{task_id}"', hint=hint)
        if not is_mapping(keys):
            hint = f"such as changes: {{{task_id}: {{parameters: {{...}}}}}}"
            raise ValidationError(f"changes.{task_id}: must be the keys of the task that change", hint=hint)
        tasks[task_id] = _merged(tasks[task_id], keys)
    return {**document, "tasks": list(tasks.values())}


def carried_inputs(workflow: Workflow, earlier: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What to bind as inputs: those given, and of the earlier ones those that the workflow still declares."""
    still = {
        name: value
        for name, value in earlier.items()
        if name in workflow.inputs and (value is not None or _takes_null(workflow.inputs[name]))
    }
    return {**still, **given}


def _merged(old: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif is_mapping(value):
            before = merged.get(key)
            merged[key] = _merged(before if is_mapping(before) else {}, value)
        else:
            merged[key] = value
    return merged


def _takes_null(schema: Mapping[str, Any]) -> bool:
    """Whether null is a value of this input, and not what stands for one that was not given."""
    kind = schema.get("type")
    return kind is None or kind == "null" or (is_list(kind) and "null" in kind)
