"""Whether a task's parameters fit what its method declares, as far as it is known before the run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gleitzeit.core.check.places import Where
from gleitzeit.core.data import PathKey, is_mapping, path_text
from gleitzeit.core.durations import seconds
from gleitzeit.core.models import Task
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.reading.marks import Problem
from gleitzeit.core.references import is_one_slot, slots_of
from gleitzeit.core.schema import Misfit, misfits

_TOOL = "mcp/tool."
_WRAPPED = "arguments"
_CODES = {"unknown": "unknown_parameter", "missing": "missing_parameter", "value": "wrong_parameter"}


def parameter_problems(task: Task, spec: MethodSpec) -> Iterator[Problem]:
    """What is wrong with the parameters; values with references are left to the run, their names are not."""
    schema = spec.parameters
    if "timeout" in task.parameters and not _declares(schema, "timeout"):
        yield from _timeout(task.parameters["timeout"])
    parameters, before = given_parameters(task, spec)
    for misfit in misfits(schema, parameters) if parameters is not None else ():
        if misfit.kind != "value" or not _open(parameters, misfit):
            name = _name(misfit.path)
            subject = name if misfit.kind == "value" else f"the parameter {name}"
            message = f"{task.method}: {subject} {misfit.message}"
            path = (*before, *misfit.path)
            yield Problem(_CODES[misfit.kind], message, path, misfit.hint, key=misfit.kind == "unknown")


def given_parameters(task: Task, spec: MethodSpec) -> tuple[Mapping[str, Any] | None, Where]:
    """What the method gets of the parameters of a task, and where that stands; nothing where only the run knows it.

    `timeout` belongs to the task. What a tool gets may stand under `arguments`, as it does in a call over MCP.
    """
    own = {key: value for key, value in task.parameters.items() if key != "timeout" or _declares(spec.parameters, key)}
    if not task.method.startswith(_TOOL) or own.keys() != {_WRAPPED} or _declares(spec.parameters, _WRAPPED):
        return own, ("parameters",)
    inner = own[_WRAPPED]
    if is_one_slot(inner):
        return None, ("parameters",)
    return (inner, ("parameters", _WRAPPED)) if is_mapping(inner) else (own, ("parameters",))


def _name(path: Sequence[PathKey]) -> str:
    """The last name of a path, with the numbers behind it: `messages[0]`, and not 0."""
    begin = max((place for place, key in enumerate(path) if isinstance(key, str)), default=None)
    return "parameters" if begin is None else path_text(path[begin:])


def _declares(schema: Any, name: str) -> bool:
    properties = schema.get("properties") if is_mapping(schema) else None
    return is_mapping(properties) and name in properties


def _timeout(value: Any) -> Iterator[Problem]:
    """`timeout` may stand in any task's parameters, where it limits the attempt."""
    if isinstance(value, str) and "${" not in value and seconds(value) is None:
        yield Problem(
            "wrong_parameter",
            f'"{value[:40]}" is no duration',
            ("parameters", "timeout"),
            "write seconds, or 30s, 5m, 1h30m",
        )
    elif isinstance(value, (int, float)) and value <= 0:
        yield Problem("wrong_parameter", "timeout must be more than 0", ("parameters", "timeout"))


def _open(parameters: Any, misfit: Misfit) -> bool:
    """Whether the value that does not fit is not known yet."""
    value = parameters
    for key in misfit.path:
        try:
            value = value[key]
        except (KeyError, IndexError, TypeError):
            return False
    if not misfit.path and is_mapping(value):
        return False
    return any("${" in text for _, text in slots_of(value))
