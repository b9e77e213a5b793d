"""How long an expression can take at most, read from its tree and the size of its data.

The unit is about a nanosecond on a slow machine. It is a bound, not a guess: lists that a comprehension builds are
copied for every item, so its cost grows with the square of their length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.cel.syntax import (
    Access,
    Call,
    Chain,
    Conditional,
    KeyStep,
    ListOf,
    Literal,
    Macro,
    MapOf,
    MethodStep,
    Name,
    Node,
    Unary,
    calculates,
)
from gleitzeit.core.data import is_mapping, is_sequence

HEAVIEST = 10**15

_STEP = 2_000.0
_NODE = 100.0
_BYTE = 0.5
_CONVERSION = 30.0
_CHARACTER = 3_000.0
_PATTERN_CHARACTER = 60_000.0
_PLAIN_PATTERN = 64


@dataclass(frozen=True, slots=True)
class Size:
    """How many values there are in a value, and how many bytes of text."""

    nodes: int
    text: int

    @property
    def weight(self) -> float:
        """What copying it costs."""
        return self.nodes * _NODE + self.text * _BYTE


@dataclass(frozen=True, slots=True)
class _Bound:
    """Cost and size of a value: a constant, and a multiple of the size of a comprehension's present item."""

    cost: float = 0.0
    size: float = 0.0
    cost_each: float = 0.0
    size_each: float = 0.0
    items: float = 1.0

    def plus(self, other: _Bound) -> _Bound:
        return _Bound(
            self.cost + other.cost,
            self.size + other.size,
            self.cost_each + other.cost_each,
            self.size_each + other.size_each,
            self.items + other.items,
        )

    def worked(self, factor: float = 1.0) -> _Bound:
        """The same value after an operator has gone through all of it."""
        cost = self.cost + _STEP + self.size * factor
        return _Bound(cost, self.size + _NODE, self.cost_each + self.size_each * factor, self.size_each, self.items)

    @property
    def total(self) -> float:
        return self.cost + self.size * _CONVERSION


def size_of(value: Any, most: int | None = None) -> Size:
    """The size of JSON data; counting stops soon after `most` nodes."""
    nodes = text = 0
    waiting = [value]
    while waiting and (most is None or nodes <= most):
        current = waiting.pop()
        nodes += 1
        if isinstance(current, str):
            text += _bytes_of(current)
        elif is_mapping(current):
            text += sum(map(_bytes_of, current))
            waiting.extend(current.values())
        elif is_sequence(current):
            waiting.extend(current)
    return Size(nodes, text)


def weigh(tree: Node, source: str, data: Mapping[str, Any]) -> int:
    """An upper bound of what parsing and evaluating `source` with `data` takes."""
    sizes = {name: size_of(value) for name, value in data.items()}
    conversion = sum(size.weight for size in sizes.values()) * _CONVERSION
    bound = _bound(tree, sizes, None)
    once = conversion + len(source) * _CHARACTER + bound.total
    return min(HEAVIEST, int(once * (3 if calculates(tree) else 1)))


def _bytes_of(text: str) -> int:
    return len(text) * (1 if text.isascii() else 4)


def _bound(node: Node, sizes: Mapping[str, Size], variable: str | None) -> _Bound:
    match node:
        case Literal(_, text, _):
            return _Bound(_STEP, _NODE + len(text) * 4 * _BYTE)
        case Name(name, _):
            if name == variable:
                return _Bound(_STEP, size_each=1.0)
            size = sizes.get(name, Size(1, 0))
            return _Bound(_STEP, size.weight, items=size.nodes)
        case Macro():
            return _comprehension(node, sizes)
        case Access():
            return _access(node, sizes, variable)
        case Call("matches", (operand, pattern)):
            return _matching(_bound(operand, sizes, variable), pattern)
        case Call(_, arguments):
            return _all(arguments, sizes, variable).worked()
        case ListOf(items):
            return _all(items, sizes, variable).worked()
        case MapOf(entries):
            return _all([part for entry in entries for part in entry], sizes, variable).worked()
        case Unary(operators, operand):
            inner = _bound(operand, sizes, variable)
            return _Bound(inner.cost + _STEP * len(operators), _NODE, inner.cost_each)
        case Chain(_, operands):
            bound = _bound(operands[0], sizes, variable)
            for operand in operands[1:]:
                bound = bound.plus(_bound(operand, sizes, variable)).worked()
            return bound
        case Conditional(condition, chosen, otherwise):
            return _all((condition, chosen, otherwise), sizes, variable)


def _all(nodes: Sequence[Node], sizes: Mapping[str, Size], variable: str | None) -> _Bound:
    bound = _Bound(_STEP, _NODE)
    for node in nodes:
        bound = bound.plus(_bound(node, sizes, variable))
    return bound


def _access(node: Access, sizes: Mapping[str, Size], variable: str | None) -> _Bound:
    bound = _bound(node.base, sizes, variable)
    for step in node.steps:
        if isinstance(step, MethodStep):
            if step.name == "matches" and len(step.arguments) == 1:
                bound = _matching(bound, step.arguments[0])
            else:
                bound = bound.plus(_all(step.arguments, sizes, variable)).worked()
        elif isinstance(step, KeyStep):
            key = _bound(step.key, sizes, variable)
            bound = bound.plus(_Bound(key.cost + _STEP, key.size, key.cost_each, key.size_each))
        else:
            bound = bound.plus(_Bound(_STEP))
    return bound


def _matching(operand: _Bound, pattern: Node) -> _Bound:
    text = pattern.value if isinstance(pattern, Literal) else None
    if not isinstance(text, str) or len(text) > _PLAIN_PATTERN or "{" in text or not text.isascii():
        return _Bound(HEAVIEST, _NODE)
    worked = operand.worked(factor=80.0 * (len(text) + 1))
    return _Bound(worked.cost + _PATTERN_CHARACTER * (len(text) + 1), _NODE, worked.cost_each)


def _comprehension(node: Macro, sizes: Mapping[str, Size]) -> _Bound:
    over = _bound(node.over, sizes, None)
    body = _Bound()
    for part in node.bodies:
        body = body.plus(_bound(part, sizes, node.variable))
    items = max(1.0, over.items)
    cost = over.cost + items * (body.cost + 4 * _STEP) + over.size * (body.cost_each + 1)
    if node.name not in ("map", "filter"):
        return _Bound(cost, _NODE)
    grown = over.size if node.name == "filter" else items * (body.size + _NODE) + over.size * body.size_each
    return _Bound(cost + items * grown, grown, items=items)
