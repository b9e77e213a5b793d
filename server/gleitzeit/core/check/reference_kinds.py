"""Whether what references bring is of a type that the parameter takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gleitzeit.core.check.declared import declared
from gleitzeit.core.check.parameter_problems import given_parameters
from gleitzeit.core.check.places import Place, Surroundings
from gleitzeit.core.check.result_shapes import followed, value_shape
from gleitzeit.core.check.shapes import KINDS, Absent, Shape
from gleitzeit.core.data import PathKey, path_text
from gleitzeit.core.models import Task
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.reading.marks import Problem
from gleitzeit.core.references import opaque_parameters, slots_of
from gleitzeit.core.schema import TYPES

_ORDER = tuple(TYPES)


def kind_problems(task: Task, spec: MethodSpec, around: Surroundings) -> Iterator[Problem]:
    """References whose value is of none of the types that the method declares for it."""
    parameters, before = given_parameters(task, spec)
    opaque = opaque_parameters(task.method, task.parameters, spec.code)
    given = {name: value for name, value in (parameters or {}).items() if name not in opaque}
    place = Place(around, task, item=task.foreach is not None, secrets=True)
    yield from misfitting(task.method, declared(spec.parameters), given, place, before)


def misfitting(
    subject: str, shape: Shape, given: object, place: Place, before: tuple[PathKey, ...]
) -> Iterator[Problem]:
    """What in `given`, which belongs to `subject`, would not be of a type that `shape` allows at its place."""
    for path, text in slots_of(given):
        wanted, _ = followed(shape, path)
        if isinstance(wanted, Absent) or wanted.kinds == KINDS:
            continue
        kinds = value_shape(text, place).kinds
        if not _compatible(kinds, wanted.kinds):
            message = (
                f"{subject}: {path_text(path)} takes {_named(wanted.kinds)}, and {_shown(text)} is {_named(kinds)}"
            )
            yield Problem("wrong_parameter", message, (*before, *path), _hint(kinds, wanted.kinds))


def _compatible(kinds: frozenset[str], wanted: frozenset[str]) -> bool:
    """Whether a value of one of `kinds` can be one that is `wanted`; a number may be whole."""
    numbers = {"integer", "number"}
    return not kinds.isdisjoint(wanted) or not (kinds.isdisjoint(numbers) or wanted.isdisjoint(numbers))


def _named(kinds: frozenset[str]) -> str:
    names: Sequence[str] = [TYPES[kind] for kind in _ORDER if kind in kinds and (kind != "null" or len(kinds) == 1)]
    return " or ".join(names)


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."


def _hint(kinds: frozenset[str], wanted: frozenset[str]) -> str:
    if kinds.isdisjoint({"object", "array"}):
        return f"give {_named(wanted)}"
    inside = "; inside a longer text it becomes JSON" if "string" in wanted else ""
    return f"refer to {_named(wanted)} in it{inside}"
