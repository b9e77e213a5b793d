"""Whether the field that a reference takes of a result is one that its method returns."""

from __future__ import annotations

from collections.abc import Iterator

from gleitzeit.core.check.places import Place, Where
from gleitzeit.core.data import is_mapping
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.models import Task
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.reading.marks import Problem
from gleitzeit.core.references import Path


def field_problems(reference: Path, where: Where, place: Place) -> Iterator[Problem]:
    """Fields of a result that its method is known not to return."""
    task = place.around.tasks.get(reference.head) if reference.kind == "task" else None
    if task is None or not reference.keys or not isinstance(reference.keys[0], str) or reference.keys[0] == "result":
        return
    if task.foreach is not None:
        yield _field_of_a_list(reference, where, task)
        return
    spec = place.around.spec(task)
    if spec is not None:
        yield from _not_returned(reference, reference.keys[0], where, task, spec)


def _field_of_a_list(reference: Path, where: Where, task: Task) -> Problem:
    rest = reference.source.partition(task.id)[2]
    message = f"${{{reference.source}}}: the result of a foreach is a list"
    hint = f"write ${{{task.id}[0]{rest}}} for its first item, or ${{{task.id}}} for all"
    return Problem("unknown_field", message, where, hint)


def _not_returned(reference: Path, key: str, where: Where, task: Task, spec: MethodSpec) -> Iterator[Problem]:
    returns = spec.returns or {}
    fields = returns.get("properties")
    if not is_mapping(fields) or not fields or key in fields:
        return
    closed = returns.get("additionalProperties") is False
    if closed or key in ("output", "outputs"):  # what people write for any result
        message = f'${{{reference.source}}}: {task.method} returns no "{key}"; it returns {", ".join(fields)}'
        hint = did_you_mean(key, fields) or f"write ${{{task.id}.{next(iter(fields))}}}"
        yield Problem("unknown_field", message, where, hint)
