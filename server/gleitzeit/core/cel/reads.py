"""Which fields an expression needs to be there, those of the items that it goes over among them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.cel.syntax import (
    Access,
    Call,
    Chain,
    FieldStep,
    KeyStep,
    Literal,
    Macro,
    Name,
    Node,
    Step,
    children,
)

ITEM: Any = object()
"""Stands in a path for each item of a list."""

Keys = tuple[Any, ...]
_Bound = Mapping[str, "_Known"]


@dataclass(frozen=True, slots=True)
class Reads:
    """The paths from variables that are read, and those of which it is asked whether they are there.

    `guarded` where what is read need not be there, since the expression asks for it before.
    """

    needed: tuple[Keys, ...]
    asked: tuple[Keys, ...]
    guarded: bool


@dataclass(frozen=True, slots=True)
class _Known:
    """How a value is reached: by `keys`, if that is all of it; `some` where only some of its items are left."""

    keys: Keys
    whole: bool = True
    some: bool = False

    def then(self, steps: Sequence[Step]) -> _Known:
        """The value that these steps take of it, as far as their keys are known."""
        keys, some = self.keys, self.some
        for step in steps if self.whole else ():
            match step:
                case FieldStep(name):
                    keys = (*keys, name)
                case KeyStep(Literal("string" | "int", _, value)):
                    keys = (*keys, ITEM if some else value)
                case _:
                    return _Known(keys, whole=False)
            some = False
        return _Known(keys, self.whole, some)

    def item(self) -> _Known:
        """Any item of it."""
        return _Known((*self.keys, ITEM)) if self.whole else _NOTHING


_NOTHING = _Known((), whole=False)


def reads(tree: Node) -> Reads:
    """What `tree` reads; of what is computed first, nothing is known."""
    needed: dict[Keys, None] = {}
    asked: dict[Keys, None] = {}
    guarded = False
    waiting: list[tuple[Node, _Bound]] = [(tree, {})]
    while waiting:
        node, bound = waiting.pop()
        if isinstance(node, Call) and node.name == "has" and len(node.arguments) == 1:
            node = node.arguments[0]
            asked[_known(node, bound).keys] = None
        elif isinstance(node, (Access, Name)):
            needed[_known(node, bound).keys] = None
        elif isinstance(node, Chain):
            guarded = guarded or "in" in node.operators
        waiting.extend(_under(node, bound))
    return Reads(tuple(filter(None, needed)), tuple(filter(None, asked)), guarded or bool(asked))


def _under(node: Node, bound: _Bound) -> Iterator[tuple[Node, _Bound]]:
    if isinstance(node, Macro):
        yield node.over, bound
        inner = {**bound, node.variable: _known(node.over, bound).item()}
        yield from ((body, inner) for body in node.bodies)
    elif isinstance(node, Access) and isinstance(node.base, Name):
        yield from ((child, bound) for child in children(node) if child is not node.base)
    else:
        yield from ((child, bound) for child in children(node))


def _known(node: Node, bound: _Bound) -> _Known:
    match node:
        case Name(name):
            return bound.get(name, _Known((name,)))
        case Macro("filter", over, _, _):
            found = _known(over, bound)
            return _Known(found.keys, found.whole, some=True)
        case Access(base, steps):
            return _known(base, bound).then(steps)
        case _:
            return _NOTHING
