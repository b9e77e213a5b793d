"""CEL expressions as trees: what they refer to and what they cost can be read from them without running them.

Chains (`a + b + c`, `a.b.c`) are flat, so that a tree is never deeper than the brackets in its text.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_ARITHMETIC = frozenset("+-*/%")


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, text, `true`, `false` or `null`; `text` is as written."""

    kind: str
    text: str
    value: object


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str
    start: int


@dataclass(frozen=True, slots=True)
class FieldStep:
    """`.field`."""

    name: str


@dataclass(frozen=True, slots=True)
class KeyStep:
    """`[key]`."""

    key: Node


@dataclass(frozen=True, slots=True)
class MethodStep:
    """`.method(arguments)`."""

    name: str
    arguments: tuple[Node, ...]


Step = FieldStep | KeyStep | MethodStep


@dataclass(frozen=True, slots=True)
class Access:
    """A value and the fields, keys and methods taken of it, from left to right."""

    base: Node
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """`function(arguments)`."""

    name: str
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[items]`."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{key: value}`."""

    entries: tuple[tuple[Node, Node], ...]


@dataclass(frozen=True, slots=True)
class Unary:
    """`!x` or `-x`, once or more often."""

    operators: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Chain:
    """Operands of one precedence, with the operators between them."""

    operators: tuple[str, ...]
    operands: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Conditional:
    """`condition ? chosen : otherwise`."""

    condition: Node
    chosen: Node
    otherwise: Node


@dataclass(frozen=True, slots=True)
class Macro:
    """A comprehension: `over.map(variable, bodies)`."""

    name: str
    over: Node
    variable: str
    bodies: tuple[Node, ...]


Node = Literal | Name | Access | Call | ListOf | MapOf | Unary | Chain | Conditional | Macro


def children(node: Node) -> Iterator[Node]:
    """The nodes directly under `node`."""
    match node:
        case Access(base, steps):
            yield base
            for step in steps:
                if isinstance(step, KeyStep):
                    yield step.key
                elif isinstance(step, MethodStep):
                    yield from step.arguments
        case Call(_, arguments):
            yield from arguments
        case ListOf(items):
            yield from items
        case MapOf(entries):
            for key, value in entries:
                yield key
                yield value
        case Unary(_, operand):
            yield operand
        case Chain(_, operands):
            yield from operands
        case Conditional(condition, chosen, otherwise):
            yield from (condition, chosen, otherwise)
        case Macro(_, over, _, bodies):
            yield over
            yield from bodies
        case Literal() | Name():
            return


def walk(node: Node) -> Iterator[Node]:
    """`node` and everything under it."""
    waiting = [node]
    while waiting:
        current = waiting.pop()
        yield current
        waiting.extend(children(current))


def calculates(tree: Node) -> bool:
    """Whether the expression adds, multiplies or the like."""
    return any(isinstance(node, Chain) and not _ARITHMETIC.isdisjoint(node.operators) for node in walk(tree))
