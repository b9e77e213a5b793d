"""A run's document and inputs as they are wanted when it is resumed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gleitzeit.core.data import is_list, is_mapping
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import DocumentError, ValidationError
from gleitzeit.core.json_data import as_json
from gleitzeit.core.models import Workflow
from gleitzeit.core.reading.marks import NOWHERE, Problem
from gleitzeit.core.spelling.respell import respell


def changed_document(workflow: Workflow, changes: Mapping[str, Any]) -> dict[str, Any]:
    """The document with some keys of some tasks changed: mappings are merged, null removes a key (as in RFC 7396).

    Keys may be spelled in all ways that a document takes. Raises `ValidationError` naming the nearest task where there
    is none of that id, and `DocumentError` for keys that a task does not have.
    """
    document = workflow.canonical()
    tasks: dict[str, dict[str, Any]] = {task["id"]: task for task in document["tasks"]}
    problems: list[Problem] = []
    for task_id, keys in changes.items():
        if task_id not in tasks:
            hint = did_you_mean(task_id, tasks) or f"the tasks are {', '.join([*tasks][:20])}"
            raise ValidationError(f'changes: there is no task "{task_id}"', hint=hint)
        if not is_mapping(keys):
            hint = f"such as changes: {{{task_id}: {{parameters: {{...}}}}}}"
            raise ValidationError(f"changes.{task_id}: must be the keys of the task that change", hint=hint)
        tasks[task_id] = _merged(tasks[task_id], _respelled(task_id, keys, problems))
    if problems:
        raise DocumentError([problem.placed(NOWHERE) for problem in problems])
    return {**document, "tasks": list(tasks.values())}


def carried_inputs(workflow: Workflow, earlier: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What to bind as inputs: those given, and of the earlier ones those that the workflow still declares."""
    still = {
        name: value
        for name, value in earlier.items()
        if name in workflow.inputs and (value is not None or _takes_null(workflow.inputs[name]))
    }
    return {**still, **given}


def _respelled(task_id: str, keys: Mapping[str, Any], problems: list[Problem]) -> dict[str, Any]:
    """The keys of one task in the words of the language."""
    found: list[Problem] = []
    plain: dict[str, Any] = as_json(keys, found, ("changes", task_id))
    changed: dict[str, Any] = {}
    if not found:
        changed = _task(plain, found)
        for key in (key for key, value in plain.items() if value is None):
            # A document may leave parameters and dependencies empty; here null takes away what was there.
            changed |= {name: changed[name] or None for name in _task({key: None}, []) if name in changed}
    problems += [replace(problem, path=("changes", task_id, *problem.path[2:])) for problem in found]
    return changed


def _task(keys: dict[str, Any], problems: list[Problem]) -> dict[str, Any]:
    document, _ = respell({"tasks": [keys]}, None, problems)
    task: dict[str, Any] = document["tasks"][0]
    return task


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
