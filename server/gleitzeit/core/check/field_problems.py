"""Whether the fields that references take of results, inputs and items are among those that there are."""

from __future__ import annotations

from collections.abc import Iterator

from gleitzeit.core.cel.reads import ITEM, Keys, reads
from gleitzeit.core.check.places import Place, Where
from gleitzeit.core.check.result_shapes import followed, keys_of, root_shape
from gleitzeit.core.check.shapes import Absent
from gleitzeit.core.data import path_text
from gleitzeit.core.diagnostics import Severity, did_you_mean
from gleitzeit.core.expressions import Expression
from gleitzeit.core.models import Task
from gleitzeit.core.reading.marks import Problem
from gleitzeit.core.references import Path, Reference
from gleitzeit.core.schema import TYPES

_MOST_NAMES = 20
_FOREIGN = ("output", "outputs")  # what people write for any result


def field_problems(reference: Reference, where: Where, place: Place) -> Iterator[Problem]:
    """Fields that are not there, and those that nobody declares, which are warned of."""
    if isinstance(reference, Path):
        yield from _absent(keys_of(reference), reference.source, where, place)
    else:
        yield from _in_expression(reference, where, place)


def _in_expression(expression: Expression, where: Where, place: Place) -> Iterator[Problem]:
    found = reads(expression.tree)
    for keys in found.needed:
        if not any(keys[: len(asked)] == asked for asked in found.asked):
            yield from _absent(keys, expression.source, where, place, "warning" if found.guarded else "error")


def _absent(keys: Keys, source: str, where: Where, place: Place, worst: Severity = "error") -> Iterator[Problem]:
    shape, start = root_shape(keys, place)
    found, position = followed(shape, keys[start:])
    if not isinstance(found, Absent):
        return
    before, key = keys[: start + position], keys[start + position]
    task = _task_of(before, place)
    certain = found.certain or (task is not None and key in _FOREIGN)
    shown = f'"{source}"' if where[0] == "when" else f"${{{source}}}"
    if found.kind is not None:
        said, hint = _of_another_type(found.kind, before, keys, task)
    else:
        said = _not_among(found, key, before, task, certain)
        hint = _nearest(found, key, before)
    yield Problem("unknown_field", f"{shown}: {said}", where, hint, severity=worst if certain else "warning")


def _of_another_type(kind: str, before: Keys, keys: Keys, task: Task | None) -> tuple[str, str]:
    whole = f"${{{_text(before)}}}"
    if kind == "array" and isinstance(keys[len(before)], str):
        name = "the result of a foreach" if task is not None and task.foreach is not None else _text(before)
        first = _text((*before, 0, *keys[len(before) :]))
        return f"{name} is a list", f"write ${{{first}}} for its first item, or {whole} for all"
    wanted = "fields" if isinstance(keys[len(before)], str) else "items"
    said = "has no more items" if kind == "array" else f"is {TYPES[kind]} and has no {wanted}"
    return f"{_text(before)} {said}", f"write {whole}"


def _not_among(found: Absent, key: object, before: Keys, task: Task | None, certain: bool) -> str:
    names = ", ".join(found.names[:_MOST_NAMES]) + (", ..." if len(found.names) > _MOST_NAMES else "")
    shown = f'"{key}"' if isinstance(key, str) else f"item {key}"
    if task is not None:
        verb = "returns" if certain else "declares"
        return f"{task.method} {verb} no {shown}; it {verb} {names or 'nothing'}"
    return f"{_text(before)} has no {shown}; {'it has' if certain else 'declared there are'} {names or 'nothing'}"


def _nearest(found: Absent, key: object, before: Keys) -> str:
    guess = did_you_mean(key, found.names) if isinstance(key, str) else None
    return guess or f"write ${{{_text((*before, *found.names[:1]))}}}"


def _task_of(before: Keys, place: Place) -> Task | None:
    """The task whose whole result a path is."""
    named = before[1:] if before[0] == "tasks" else before
    return place.around.tasks.get(named[0]) if len(named) == 1 else None


def _text(keys: Keys) -> str:
    """A path as people write it."""
    plain = keys[1:] if keys[0] == "tasks" and len(keys) > 1 else keys
    return path_text([0 if key is ITEM else key for key in plain])
