"""Whether what is filled into tasks and outputs can be filled in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from gleitzeit.core.check.condition_problems import condition_problems
from gleitzeit.core.check.places import Place, Surroundings, Where
from gleitzeit.core.check.reference_problems import slot_problems
from gleitzeit.core.data import is_mapping, is_sequence
from gleitzeit.core.errors import DocumentError
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.reading.marks import Problem
from gleitzeit.core.references import Path, compile_reference, opaque_parameters, slots_of
from gleitzeit.core.slots import FOREIGN, Slot, has_slot, scan, split


def template_problems(task: Task, around: Surroundings) -> Iterator[Problem]:
    """What is wrong with the references of a task, at paths inside it."""
    spec = around.spec(task)
    code = spec.code if spec is not None else ()
    opaque = opaque_parameters(task.method, task.parameters, code)
    place = Place(around, task, item=task.foreach is not None, secrets=True)
    for name, value in task.parameters.items():
        where = ("parameters", name)
        if name in code:
            yield from _code_problems(value, where, place)
        elif name not in opaque:
            yield from _value_problems(value, where, place)
        if "${" in name:
            yield _key_problem(name, where)
    yield from _foreach_problems(task, around)
    if isinstance(task.when, str):
        yield from condition_problems(task.when, place)


def output_problems(workflow: Workflow, around: Surroundings) -> Iterator[Problem]:
    """What is wrong with the references of the outputs."""
    yield from _value_problems(workflow.outputs or {}, ("outputs",), Place(around))


def _foreach_problems(task: Task, around: Surroundings) -> Iterator[Problem]:
    if task.foreach is None:
        return
    place = Place(around, task)
    if isinstance(task.foreach, str):
        try:
            parts = split(task.foreach)
        except DocumentError:
            parts = []
        if parts and not (len(parts) == 1 and isinstance(parts[0], Slot)):
            hint = "write one ${...} alone" if has_slot(task.foreach) else f"write ${{{task.foreach}}}"
            yield Problem("wrong_type", "foreach must be a list, or one reference to a list", ("foreach",), hint)
            if "{{" not in task.foreach:
                return
    yield from _value_problems(task.foreach, ("foreach",), place)


def _value_problems(value: Any, where: Where, place: Place) -> Iterator[Problem]:
    yield from _keys_with_references(value, where)
    for path, text in slots_of(value, where):
        yield from _text_problems(text, path, place)


def _text_problems(text: str, where: Where, place: Place) -> Iterator[Problem]:
    parts, malformed = scan(text)
    for diagnostic in malformed:
        yield Problem(diagnostic.code, diagnostic.message, where, diagnostic.hint)
    for part in parts:
        if isinstance(part, Slot):
            yield from slot_problems(part.source, where, place)
        else:
            for match in FOREIGN.finditer(part):
                inner = match.group(1).strip()
                yield Problem(
                    "foreign_reference", f"{match.group()} is written as in another system", where, _own(inner)
                )


def _own(inner: str) -> str:
    """How a foreign reference is written here."""
    inner = inner.removeprefix("$")
    literal = f'; for the text itself, write ${{"{{{{ {inner} }}}}"}}' if '"' not in inner else ""
    return f"write ${{{inner}}}{literal}"


def _code_problems(value: Any, where: Where, place: Place) -> Iterator[Problem]:
    """Known references in program text: they would make foreign text into code, so nothing is filled in there."""
    for path, text in slots_of(value, where):
        try:
            sources = [part.source for part in split(text) if isinstance(part, Slot)]
        except DocumentError:
            continue
        for source in sources:
            if _known(source, place):
                message = f"${{{source}}} stands in code, into which nothing is filled"
                yield Problem(
                    "reference_in_code",
                    message,
                    path,
                    f'pass it by args: {{value: "${{{source}}}"}} and read it in the code',
                )


def _known(source: str, place: Place) -> bool:
    try:
        reference = compile_reference(source)
    except DocumentError:
        return False
    if isinstance(reference, Path) and reference.kind in ("item", "index"):
        return place.item
    if isinstance(reference, Path) and reference.kind in ("run", "secrets"):
        return True
    return any(root in place.around.tasks for root in reference.roots) or any(
        name in place.around.inputs for name in reference.inputs
    )


def _keys_with_references(value: Any, where: Where) -> Iterator[Problem]:
    waiting: list[tuple[Where, Any]] = [(where, value)]
    while waiting:
        path, current = waiting.pop()
        if is_mapping(current):
            for key, item in current.items():
                if "${" in key:
                    yield _key_problem(key, (*path, key))
                waiting.append(((*path, key), item))
        elif is_sequence(current):
            waiting.extend(((*path, index), item) for index, item in enumerate(current))


def _key_problem(key: str, where: Where) -> Problem:
    return Problem(
        "reference_misplaced", f'the key "{key[:80]}" contains a reference', where, "refer in values only", key=True
    )
