"""Whether every `${...}` refers to something that is there, and may."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.cel.values import program
from gleitzeit.core.data import is_mapping, is_sequence
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import DocumentError, ExpressionError, MethodNotFoundError
from gleitzeit.core.expressions import Expression, compile_expression, is_type_name
from gleitzeit.core.graph import identify
from gleitzeit.core.models import Task, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.reading.marks import PathKey, Problem
from gleitzeit.core.references import Path, Reference, compile_reference, condition_source, opaque_parameters, slots_of
from gleitzeit.core.slots import Slot, scan, split

Where = tuple[PathKey, ...]

_FOREIGN = re.compile(r"\{\{-?\s*([\w.$\[\]'\"|() -]{1,200}?)\s*-?\}\}")
_HYPHENATED = re.compile(r"[A-Za-z_]\w*(?:-\w+)+")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')
_STATUS = re.compile(r"\s*(?:\$\{\{?)?\s*(always|success|failure|cancelled)\(\)\s*(?:\}\}?)?\s*")


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What references can refer to."""

    tasks: Mapping[str, Task]
    inputs: Mapping[str, Any]
    names: Mapping[str, str]
    specs: Mapping[str, MethodSpec | MethodNotFoundError | None]

    @classmethod
    def of(cls, workflow: Workflow, specs: Mapping[str, MethodSpec | MethodNotFoundError | None]) -> Surroundings:
        """Those of a workflow."""
        return cls({task.id: task for task in workflow.tasks}, workflow.inputs, identify(workflow), specs)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a reference stands, and what it may use there."""

    around: Surroundings
    task: Task | None = None
    item: bool = False
    secrets: bool = False


def task_problems(task: Task, around: Surroundings, spec: MethodSpec | None) -> Iterator[Problem]:
    """What is wrong with the references of a task, at paths inside it."""
    code = spec.code if spec is not None else ()
    opaque = opaque_parameters(task.method, task.parameters, code)
    place = _Place(around, task, item=task.foreach is not None, secrets=True)
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
        yield from _condition_problems(task.when, place)


def output_problems(workflow: Workflow, around: Surroundings) -> Iterator[Problem]:
    """What is wrong with the references of the outputs."""
    yield from _value_problems(workflow.outputs or {}, ("outputs",), _Place(around))


def _foreach_problems(task: Task, around: Surroundings) -> Iterator[Problem]:
    if task.foreach is None:
        return
    place = _Place(around, task)
    if isinstance(task.foreach, str):
        try:
            parts = split(task.foreach)
        except DocumentError:
            parts = []
        if parts and not (len(parts) == 1 and isinstance(parts[0], Slot)):
            hint = (
                f"write ${{{task.foreach}}}"
                if "${" not in task.foreach and "{{" not in task.foreach
                else "write one ${...} alone"
            )
            yield Problem("wrong_type", "foreach must be a list, or one reference to a list", ("foreach",), hint)
            if "{{" not in task.foreach:
                return
    yield from _value_problems(task.foreach, ("foreach",), place)


def _condition_problems(condition: str, place: _Place) -> Iterator[Problem]:
    where: Where = ("when",)
    status = _STATUS.fullmatch(condition)
    if status is not None:
        hint = "leave out when" if status.group(1) == "success" else "write trigger_rule: all_done"
        yield Problem("foreign_reference", f"{status.group(1)}() is written as in another system", where, hint)
        return
    foreign = _FOREIGN.search(condition)
    if foreign is not None:
        yield Problem(
            "foreign_reference",
            f"{foreign.group()} is written as in another system",
            where,
            f"write {foreign.group(1)}",
        )
        return
    if condition.strip() in ("True", "False"):
        word = condition.strip()
        yield Problem("expression_invalid", f"{word} is written as in Python", where, f"write {word.lower()}")
        return
    try:
        source = condition_source(condition)
        hyphen = _hyphenated(source, place)
        if hyphen is not None:
            yield Problem(*hyphen[:2], where, hyphen[2])
            return
        reference = compile_expression(source)
    except DocumentError as error:
        yield from _of_error(error, where)
        return
    yield from _reference_problems(reference, where, _Place(place.around, place.task, place.item))


def _value_problems(value: Any, where: Where, place: _Place) -> Iterator[Problem]:
    yield from _keys_with_references(value, where)
    for path, text in slots_of(value, where):
        yield from _text_problems(text, path, place)


def _text_problems(text: str, where: Where, place: _Place) -> Iterator[Problem]:
    parts, malformed = scan(text)
    for diagnostic in malformed:
        yield Problem(diagnostic.code, diagnostic.message, where, diagnostic.hint)
    for part in parts:
        if isinstance(part, Slot):
            yield from _slot_problems(part.source, where, place)
        else:
            for match in _FOREIGN.finditer(part):
                inner = match.group(1).strip()
                yield Problem(
                    "foreign_reference", f"{match.group()} is written as in another system", where, _own(inner)
                )


def _own(inner: str) -> str:
    """How a foreign reference is written here."""
    inner = inner.removeprefix("$")
    literal = f'; for the text itself, write ${{"{{{{ {inner} }}}}"}}' if '"' not in inner else ""
    return f"write ${{{inner}}}{literal}"


def _slot_problems(source: str, where: Where, place: _Place) -> Iterator[Problem]:
    try:
        hyphen = _hyphenated(source, place)
        reference = compile_reference(source) if hyphen is None else None
    except DocumentError as error:
        yield from _of_error(error, where, source)
        return
    if hyphen is not None:
        yield Problem(*hyphen[:2], where, hyphen[2])
    if reference is not None:
        yield from _reference_problems(reference, where, place)


def _reference_problems(reference: Reference, where: Where, place: _Place) -> Iterator[Problem]:
    source = reference.source
    for root in sorted(reference.roots):
        if root not in place.around.tasks:
            if isinstance(reference, Path) or not is_type_name(root):
                yield _unknown_task(root, source, where, place)
        elif place.task is not None and root == place.task.id:
            yield Problem("own_reference", f'"{root}" refers to its own result', where, "refer to another task")
    for name in sorted(reference.inputs):
        if name not in place.around.inputs:
            yield _unknown_input(name, source, where, place)
    yield from _misplaced(reference, where, place)
    if isinstance(reference, Path):
        yield from _field_problems(reference, where, place)
    else:
        try:
            program(source)
        except ExpressionError as error:
            yield Problem("expression_invalid", error.message, where, error.hint)


def _misplaced(reference: Reference, where: Where, place: _Place) -> Iterator[Problem]:
    item, index = (
        (reference.uses_item, reference.uses_index)
        if isinstance(reference, Expression)
        else (reference.kind == "item", reference.kind == "index")
    )
    if (item or index) and not place.item:
        word = "item" if item else "index"
        hint = "add foreach to the task" if where[0] != "foreach" else "foreach itself names the list"
        yield Problem("item_outside_foreach", f"${{{reference.source}}}: there is no {word} here", where, hint)
    if isinstance(reference, Path) and reference.kind == "secrets" and not place.secrets:
        message = f"${{{reference.source}}}: a secret can only stand in parameters"
        yield Problem("secret_misplaced", message, where, "pass it to the method that needs it")


def _unknown_task(root: str, source: str, where: Where, place: _Place) -> Problem:
    around = place.around
    message = (
        f'${{{source}}}: there is no task "{root}"' if where[0] != "when" else f'"{source}": there is no task "{root}"'
    )
    if root in around.inputs:
        return Problem("unknown_reference", message, where, f"write ${{inputs.{root}}}")
    if root in around.names:
        return Problem("unknown_reference", message, where, f'"{root}" is a name; its id is {around.names[root]}')
    hint = did_you_mean(root, (*around.tasks, "inputs", "item", "index", "run", "secrets"))
    if hint is None and root in ("env", "vars", "matrix", "github", "context", "params", "workflow", "needs"):
        hint = "declare it under inputs and write ${inputs.name}"
    if hint is None:
        hint = f"the tasks are {', '.join(list(around.tasks)[:10])}; for the text itself write $${{{source}}}"
    return Problem("unknown_reference", message, where, hint)


def _unknown_input(name: str, source: str, where: Where, place: _Place) -> Problem:
    declared = place.around.inputs
    hint = did_you_mean(name, declared) or f"declare it: inputs: {{{name}: {{type: string}}}}"
    return Problem("unknown_input", f'${{{source}}}: there is no input "{name}"', where, hint)


def _field_problems(reference: Path, where: Where, place: _Place) -> Iterator[Problem]:
    """Fields of a result that its method is known not to return."""
    task = place.around.tasks.get(reference.head) if reference.kind == "task" else None
    if task is None or not reference.keys or not isinstance(reference.keys[0], str):
        return
    key = reference.keys[0]
    if task.foreach is not None:
        if key != "result":
            rest = reference.source.partition(task.id)[2]
            message = f"${{{reference.source}}}: the result of a foreach is a list"
            yield Problem(
                "unknown_field",
                message,
                where,
                f"write ${{{task.id}[0]{rest}}} for its first item, or ${{{task.id}}} for all",
            )
        return
    spec = place.around.specs.get(task.method)
    fields: Mapping[str, Any] = _returned(spec) if isinstance(spec, MethodSpec) else {}
    closed = (
        isinstance(spec, MethodSpec) and spec.returns is not None and spec.returns.get("additionalProperties") is False
    )
    if fields and key not in fields and key != "result" and (key in ("output", "outputs") or closed):
        listed = ", ".join(fields)
        message = f'${{{reference.source}}}: {task.method} returns no "{key}"; it returns {listed}'
        hint = did_you_mean(key, fields) or f"write ${{{task.id}.{next(iter(fields))}}}"
        yield Problem("unknown_field", message, where, hint)


def _returned(spec: MethodSpec) -> Mapping[str, Any]:
    properties = spec.returns.get("properties") if spec.returns is not None else None
    return properties if is_mapping(properties) else {}


def _code_problems(value: Any, where: Where, place: _Place) -> Iterator[Problem]:
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


def _known(source: str, place: _Place) -> bool:
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


def _hyphenated(source: str, place: _Place) -> tuple[str, str, str] | None:
    """The id of a task that CEL would read as a difference."""
    if "-" not in source:
        return None
    try:
        if isinstance(compile_reference(source), Path):
            return None
    except DocumentError:
        pass  # an id such as in-progress is no CEL at all, which this tells better
    for match in _HYPHENATED.finditer(_TEXT.sub(lambda text: " " * len(text.group()), source)):
        word = match.group()
        while "-" in word:
            if word in place.around.tasks:
                return "hyphenated_id", f'in "{source}" {word} would be a difference', f'write tasks["{word}"]'
            word = word.rpartition("-")[0]
    return None


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


def _of_error(error: DocumentError, where: Where, source: str | None = None) -> Iterator[Problem]:
    for diagnostic in error.diagnostics:
        hint = diagnostic.hint
        if hint is None and source is not None:
            hint = f"for the text itself write $${{{source}}}"
        yield Problem(diagnostic.code, diagnostic.message, where, hint)
