"""Whether a task gives the workflow that it runs the inputs that this one declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from gleitzeit.core.check.declared import declared
from gleitzeit.core.check.places import Place, Surroundings, Where
from gleitzeit.core.check.reference_kinds import misfitting
from gleitzeit.core.check.result_shapes import child_of
from gleitzeit.core.check.shapes import Fields
from gleitzeit.core.data import is_mapping, path_text
from gleitzeit.core.inputs import input_misfits
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.reading.marks import Problem
from gleitzeit.core.references import slots_of
from gleitzeit.core.schema import Misfit, example_of

_INPUTS: Where = ("parameters", "inputs")
_CODES = {"unknown": "unknown_input", "missing": "missing_input", "value": "wrong_input"}


def child_problems(task: Task, around: Surroundings) -> Iterator[Problem]:
    """Inputs that the child does not know, does not get, or that do not fit."""
    workflow = child_of(task, around)
    given = task.parameters.get("inputs", {})
    if workflow is None or not is_mapping(given):
        return
    for misfit in input_misfits(workflow, given):
        if misfit.kind != "value" or not _is_open(given, misfit.path[0]):
            message = f'inputs of "{workflow.name}": {path_text(misfit.path)}: {misfit.message}'
            path = (*_INPUTS, *misfit.path)
            yield Problem(_CODES[misfit.kind], message, path, _hint(misfit, workflow), key=misfit.kind == "unknown")
    shape = Fields({name: declared(schema) for name, schema in workflow.inputs.items()})
    place = Place(around, task, item=task.foreach is not None, secrets=True)
    yield from misfitting("workflow/run", shape, given, place, _INPUTS)


def _is_open(given: Mapping[str, Any], name: Any) -> bool:
    """Whether a value is not known yet."""
    return any(True for _ in slots_of(given.get(name)))


def _hint(misfit: Misfit, workflow: Workflow) -> str | None:
    if misfit.kind != "missing":
        return misfit.hint
    name = str(misfit.path[0])
    return f"write inputs: {{{name}: {example_of(workflow.inputs[name]) or '...'}}}"
