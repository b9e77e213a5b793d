"""What is known, before a run, of the results, inputs and items that its references refer to."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gleitzeit.core.cel.reads import ITEM, Keys
from gleitzeit.core.check.declared import declared
from gleitzeit.core.check.inline import named
from gleitzeit.core.check.places import Place, Surroundings
from gleitzeit.core.check.shapes import EACH, UNKNOWN, Absent, Either, Fields, Items, Shape
from gleitzeit.core.data import is_mapping, is_sequence
from gleitzeit.core.errors import DocumentError
from gleitzeit.core.graph import edges, sinks
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.nesting import ASK_HUMAN, RUN_WORKFLOW
from gleitzeit.core.references import Path, compile_reference, is_one_slot, slots_of
from gleitzeit.core.scope import ALIASES
from gleitzeit.core.slots import has_slot, split

_MOST_ITEMS = 100
_DEEPEST = 8
_TEXT: Shape = declared({"type": "string"})
_WHOLE: Shape = declared({"type": "integer"})


def result_shape(task: Task, around: Surroundings, depth: int = 0) -> Shape:
    """The result of a task, as `${task}` gives it; null, which that of a skipped one is, left out."""
    if task.id not in around.results:
        around.results[task.id] = UNKNOWN  # what refers to itself, by a cycle
        one = _outputs(task, around, depth) if task.method == RUN_WORKFLOW else _returned(task, around)
        around.results[task.id] = one if task.foreach is None else Items(one)
    return around.results[task.id]


def root_shape(keys: Keys, place: Place, depth: int = 0) -> tuple[Shape, int]:
    """What stands behind the first names of a path, and how many of its keys that takes."""
    around = place.around
    head, start = str(ALIASES.get(keys[0], keys[0])), 1
    if head in ("tasks", "inputs") and len(keys) < 2:
        return UNKNOWN, 1
    if head == "tasks":
        head, start = str(keys[1]), 2
    elif head == "inputs":
        return declared(around.inputs.get(keys[1])), 2
    elif head == "item":
        return _item(place, depth), 1
    elif head in ("index", "run"):
        return (_WHOLE if head == "index" else Fields({"id": _TEXT})), 1
    task = around.tasks.get(head)
    if task is None:
        return UNKNOWN, start
    shape = result_shape(task, around, depth)
    whole = keys[start : start + 1] == ("result",) and isinstance(shape.at("result"), Absent)
    return shape, start + whole  # `result` is all of it, where it has no field of that name


def followed(shape: Shape, keys: Sequence[Any]) -> tuple[Shape | Absent, int]:
    """What is at the end of a path; or what is absent first, and how far the path goes to it."""
    for position, key in enumerate(keys):
        found = shape.at(EACH if key is ITEM else key)
        if isinstance(found, Absent):
            return found, position
        shape = found
    return shape, len(keys)


def reference_shape(path: Path, place: Place, depth: int = 0) -> Shape:
    """What a plain reference gives, as far as it is known."""
    if path.kind == "secrets":
        return _TEXT
    keys = keys_of(path)
    shape, start = root_shape(keys, place, depth)
    found, _ = followed(shape, keys[start:])
    return UNKNOWN if isinstance(found, Absent) else found


def keys_of(path: Path) -> Keys:
    """The path of a plain reference from its first name on."""
    if path.kind == "task":
        return ("tasks", path.head, *path.keys)
    return path.keys if path.keys[:1] == (path.head,) else (path.head, *path.keys)


def value_shape(value: Any, place: Place, depth: int = 0) -> Shape:
    """What a value of the document is once its references are filled in."""
    if isinstance(value, str):
        return _text_shape(value, place, depth)
    if depth >= _DEEPEST:
        return UNKNOWN
    if is_mapping(value):
        return Fields({key: value_shape(item, place, depth + 1) for key, item in value.items()})
    if is_sequence(value):
        if not 0 < len(value) <= _MOST_ITEMS:
            return Items(UNKNOWN)
        return Items(Either([value_shape(item, place, depth + 1) for item in value]))
    return declared({"type": _kind(value)})


def _returned(task: Task, around: Surroundings) -> Shape:
    asked = task.parameters.get("schema")
    if task.method == ASK_HUMAN and is_mapping(asked) and not any(True for _ in slots_of(asked)):
        return declared(asked)  # an answer is held against it
    spec = around.spec(task)
    if spec is None or not spec.returns:
        return UNKNOWN
    shape = declared(spec.returns)
    if "object" in shape.kinds:
        return shape
    return Fields({"result": shape})  # what is no object stands under that name


def _outputs(task: Task, around: Surroundings, depth: int) -> Shape:
    """What a child run gives: its outputs, or the results of the tasks that nobody there waits for."""
    workflow = child_of(task, around)
    if workflow is None or depth >= _DEEPEST:
        return UNKNOWN
    inner = Surroundings.of(workflow, around.specs, around.saved)
    place = Place(inner)
    if workflow.outputs is not None:
        return Fields({key: value_shape(value, place, depth + 1) for key, value in workflow.outputs.items()})
    return Fields({name: result_shape(inner.tasks[name], inner, depth + 1) for name in sinks(edges(workflow))})


def child_of(task: Task, around: Surroundings) -> Workflow | None:
    """The workflow that a task runs, inline or saved, as far as it is known."""
    reading = around.reading(task)
    if reading is not None:
        return reading.workflow
    name = named(task)
    return None if name is None else around.saved.get(name)


def _item(place: Place, depth: int) -> Shape:
    if place.task is None or place.task.foreach is None:
        return UNKNOWN
    found = value_shape(place.task.foreach, Place(place.around), depth).at(EACH)
    return UNKNOWN if isinstance(found, Absent) else found


def _text_shape(text: str, place: Place, depth: int) -> Shape:
    try:
        if not has_slot(text) or not is_one_slot(text):
            return _TEXT
        slot = split(text)[0]
        reference = None if isinstance(slot, str) else compile_reference(slot.source)
    except DocumentError:
        return UNKNOWN
    return reference_shape(reference, place, depth) if isinstance(reference, Path) else UNKNOWN


def _kind(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    return "integer" if isinstance(value, int) else "number"
