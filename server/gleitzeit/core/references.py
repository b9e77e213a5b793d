"""`${...}` in values: found and compiled once, resolved for each task."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.data import is_mapping, is_sequence
from gleitzeit.core.errors import DocumentError, ExpressionError, LimitError
from gleitzeit.core.expressions import Expression, compile_expression
from gleitzeit.core.nesting import RUN_WORKFLOW
from gleitzeit.core.paths import Path, parse_path
from gleitzeit.core.scope import ABSENT, Scope
from gleitzeit.core.slots import Slot, has_slot, split

__all__ = [
    "ABSENT",
    "LONGEST_TEXT",
    "Path",
    "Reference",
    "Scope",
    "Template",
    "compile_condition",
    "compile_parameters",
    "compile_reference",
    "compile_template",
    "condition_source",
    "is_one_slot",
    "opaque_parameters",
    "slots_of",
]

Reference = Path | Expression
Values = Mapping[str, Any]
_Resolve = Callable[[Scope, Values], Any]

LONGEST_TEXT = 16 * 1024 * 1024
"""Characters that a text may have once its references are filled in."""

_NONE: Values = {}


@dataclass(frozen=True, slots=True)
class Template:
    """A value with its references, compiled.

    `roots` are the ids of the tasks it refers to. `expressions` have to be evaluated first; `resolve` takes their
    values by source. Without references it is `static`, and resolves to the value itself.
    """

    value: Any
    references: tuple[Reference, ...]
    fill: _Resolve | None

    @property
    def static(self) -> bool:
        """Whether there is nothing to resolve."""
        return self.fill is None

    @property
    def expressions(self) -> tuple[Expression, ...]:
        """The distinct CEL expressions in it."""
        found = {item.source: item for item in self.references if isinstance(item, Expression)}
        return tuple(found.values())

    @property
    def roots(self) -> frozenset[str]:
        """The ids of the tasks it refers to; some of an expression's may be names of CEL types instead."""
        return frozenset(root for item in self.references for root in item.roots)

    @property
    def inputs(self) -> frozenset[str]:
        """The names of the inputs it refers to."""
        return frozenset(name for item in self.references for name in item.inputs)

    def resolve(self, scope: Scope, values: Values = _NONE) -> Any:
        """The value with its references filled in; raises `ReferenceUnresolvedError` for a field that is not there."""
        return self.value if self.fill is None else self.fill(scope, values)


def compile_template(value: Any) -> Template:
    """`value` with its references compiled; raises `DocumentError` where one is malformed."""
    references: dict[str, Reference] = {}
    fill = _compile(value, references)
    return Template(value, tuple(references.values()), fill)


def compile_parameters(method: str, parameters: Mapping[str, Any], code: Collection[str] = ()) -> Template:
    """A task's parameters with their references compiled, but for those that are program text."""
    if not parameters:
        return Template(parameters, (), None)
    references: dict[str, Reference] = {}
    text = opaque_parameters(method, parameters, code)
    fill = _compile_fields(parameters, references, text)
    return Template(parameters, tuple(references.values()), fill)


def opaque_parameters(method: str, parameters: Mapping[str, Any], code: Collection[str] = ()) -> frozenset[str]:
    """The parameters into which nothing is filled: code, and a workflow, whose references are its own."""
    names = frozenset(code)
    if method == RUN_WORKFLOW and not is_one_slot(parameters.get("workflow")):
        names |= {"workflow"}
    return names


def compile_condition(condition: str | bool) -> Template:
    """A `when`: CEL, with or without `${ }` around it. It resolves to true or false, or raises `ExpressionError`."""
    if isinstance(condition, bool):
        return Template(condition, (), None)
    source = condition_source(condition)
    expression = compile_expression(source)
    return Template(condition, (expression,), lambda _, values: _truth(source, values[source]))


def condition_source(condition: str) -> str:
    """The expression of a `when`, without the `${ }` that people put around it."""
    text = condition.strip()
    if text.startswith("${"):
        parts = split(text)
        if len(parts) == 1 and isinstance(parts[0], Slot):
            text = parts[0].source.strip()
    path = parse_path(text)
    return path.as_cel() if path is not None else text


def compile_reference(source: str) -> Reference:
    """What stands inside one `${...}`; raises `DocumentError` with one diagnostic where it means nothing."""
    path = parse_path(source)
    return path if path is not None else compile_expression(source.strip())


def slots_of(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """Every text in a value that has references, with its path."""
    waiting: list[tuple[tuple[str | int, ...], Any]] = [(path, value)]
    while waiting:
        where, current = waiting.pop()
        if isinstance(current, str):
            if has_slot(current):
                yield where, current
        elif is_mapping(current):
            waiting.extend(((*where, key), current[key]) for key in reversed(list(current)))
        elif is_sequence(current):
            waiting.extend(((*where, index), current[index]) for index in reversed(range(len(current))))


def is_one_slot(value: Any) -> bool:
    """Whether a value is one `${...}` and nothing else."""
    if not isinstance(value, str) or "${" not in value:
        return False
    try:
        parts = split(value)
    except DocumentError:
        return False
    return len(parts) == 1 and isinstance(parts[0], Slot)


def _truth(source: str, value: Any) -> bool:
    if isinstance(value, bool):
        return value
    shown = json.dumps(value, ensure_ascii=False)[:60]
    raise ExpressionError(
        f'the condition "{source}" is {shown}, neither true nor false',
        hint="compare it, as in x != null or size(x) > 0",
    )


def _compile(value: Any, references: dict[str, Reference]) -> _Resolve | None:
    if isinstance(value, str):
        return _compile_text(value, references) if "${" in value else None
    if is_mapping(value):
        return _compile_fields(value, references)
    if is_sequence(value):
        return _compile_items(value, references)
    return None


def _compile_fields(
    fields: Mapping[str, Any], references: dict[str, Reference], opaque: Collection[str] = ()
) -> _Resolve | None:
    filled = {
        key: fill
        for key, item in fields.items()
        if key not in opaque and (fill := _compile(item, references)) is not None
    }
    if not filled:
        return None
    pairs = tuple(filled.items())

    def resolve(scope: Scope, values: Values) -> Any:
        resolved = dict(fields)
        for key, part in pairs:
            resolved[key] = part(scope, values)
        return resolved

    return resolve


def _compile_items(items: Sequence[Any], references: dict[str, Reference]) -> _Resolve | None:
    fills = [_compile(item, references) for item in items]
    pairs = tuple((index, fill) for index, fill in enumerate(fills) if fill is not None)
    if not pairs:
        return None

    def fill(scope: Scope, values: Values) -> Any:
        resolved = list(items)
        for index, part in pairs:
            resolved[index] = part(scope, values)
        return resolved

    return fill


def _compile_text(text: str, references: dict[str, Reference]) -> _Resolve | None:
    parts = [part if isinstance(part, str) else _compile_slot(part, references) for part in split(text)]
    if len(parts) == 1:
        only = parts[0]
        return (lambda _scope, _values: only) if isinstance(only, str) else only

    def fill(scope: Scope, values: Values) -> Any:
        return _joined(part if isinstance(part, str) else _as_text(part(scope, values)) for part in parts)

    return fill


def _joined(parts: Iterable[str]) -> str:
    """One text. A short document can ask for one that no memory holds, by naming a large value many times."""
    texts: list[str] = []
    length = 0
    for part in parts:
        texts.append(part)
        length += len(part)
        if length > LONGEST_TEXT:
            raise LimitError(
                f"a text with references filled in has more than {LONGEST_TEXT:,} characters",
                hint="refer to the large value by itself, or to a part of it",
            )
    return "".join(texts)


def _compile_slot(slot: Slot, references: dict[str, Reference]) -> _Resolve:
    reference = references.setdefault(slot.source.strip(), compile_reference(slot.source))
    if isinstance(reference, Path):
        return reference.resolver()
    source = reference.source
    return lambda _scope, values: values[source]


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
