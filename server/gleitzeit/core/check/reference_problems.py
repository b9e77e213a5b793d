"""Whether one `${...}` refers to something that is there, and may."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gleitzeit.core.cel.values import program
from gleitzeit.core.check.field_problems import field_problems
from gleitzeit.core.check.places import Place, Where
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import DocumentError, ExpressionError
from gleitzeit.core.expressions import is_type_name
from gleitzeit.core.reading.marks import Problem
from gleitzeit.core.references import Path, Reference, compile_reference

_HYPHENATED = re.compile(r"[A-Za-z_]\w*(?:-\w+)+")
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'')


def slot_problems(source: str, where: Where, place: Place) -> Iterator[Problem]:
    """What is wrong with what stands inside one `${...}`."""
    hyphen = hyphenated(source, where, place)
    if hyphen is not None:
        yield hyphen
        return
    try:
        reference = compile_reference(source)
    except DocumentError as error:
        yield from problems_of(error, where, source)
        return
    yield from reference_problems(reference, where, place)


def reference_problems(reference: Reference, where: Where, place: Place) -> Iterator[Problem]:
    """What a well-formed reference refers to, but is not there or not allowed."""
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
    yield from field_problems(reference, where, place)
    if not isinstance(reference, Path):
        try:
            program(source)
        except ExpressionError as error:
            yield Problem("expression_invalid", error.message, where, error.hint)


def _misplaced(reference: Reference, where: Where, place: Place) -> Iterator[Problem]:
    shown = _shown(reference.source, where)
    if (reference.uses_item or reference.uses_index) and not place.item:
        word = "item" if reference.uses_item else "index"
        yield Problem("item_outside_foreach", f"{shown}: there is no {word} here", where, _item_hint(where))
    if isinstance(reference, Path) and reference.kind == "secrets" and not place.secrets:
        message = f"${{{reference.source}}}: a secret can only stand in parameters"
        yield Problem("secret_misplaced", message, where, "pass it to the method that needs it")


def _item_hint(where: Where) -> str:
    if where[0] == "when":
        return "when is asked once, before the items; leave items out in foreach: ${id.items.filter(i, i > 1)}"
    return "foreach itself names the list" if where[0] == "foreach" else "add foreach to the task"


def _shown(source: str, where: Where) -> str:
    return f'"{source}"' if where[0] == "when" else f"${{{source}}}"


def _unknown_task(root: str, source: str, where: Where, place: Place) -> Problem:
    around = place.around
    message = f'{_shown(source, where)}: there is no task "{root}"'
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


def _unknown_input(name: str, source: str, where: Where, place: Place) -> Problem:
    declared = place.around.inputs
    hint = did_you_mean(name, declared) or f"declare it: inputs: {{{name}: {{type: string}}}}"
    return Problem("unknown_input", f'{_shown(source, where)}: there is no input "{name}"', where, hint)


def hyphenated(source: str, where: Where, place: Place) -> Problem | None:
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
                message = f'in "{source}" {word} would be a difference'
                return Problem("hyphenated_id", message, where, f'write tasks["{word}"]')
            word = word.rpartition("-")[0]
    return None


def problems_of(error: DocumentError, where: Where, source: str | None = None) -> Iterator[Problem]:
    """The diagnostics of a reference that is malformed, at its place."""
    for diagnostic in error.diagnostics:
        hint = diagnostic.hint
        if hint is None and source is not None:
            hint = f"for the text itself write $${{{source}}}"
        yield Problem(diagnostic.code, diagnostic.message, where, hint)
