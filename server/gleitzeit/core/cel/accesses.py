"""Which fields of which variables an expression reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from gleitzeit.core.cel.syntax import Access, Call, FieldStep, KeyStep, Literal, Macro, Name, Node, Step, children
from gleitzeit.core.data import PathKey, is_list, is_object, path_text


@dataclass(frozen=True, slots=True)
class Accessed:
    """One path from a variable, as far as it is known; `optional` where it only asks whether it is there."""

    keys: tuple[PathKey, ...]
    start: int
    optional: bool = False

    @property
    def text(self) -> str:
        """The path as people write it."""
        return path_text(self.keys)


def accesses(tree: Node) -> list[Accessed]:
    """Every path that is read, in no particular order; the variables of comprehensions are left out."""
    found: list[Accessed] = []
    waiting: list[tuple[Node, frozenset[str], bool]] = [(tree, frozenset(), False)]
    while waiting:
        node, bound, optional = waiting.pop()
        match node:
            case Name(name, start):
                if name not in bound:
                    found.append(Accessed((name,), start, optional))
            case Access(Name(name, start), steps) if name not in bound:
                keys, rest = _known(steps)
                found.append(Accessed((name, *keys), start, optional))
                waiting.extend((child, bound, False) for child in children(Access(_NOTHING, rest)))
            case Macro(_, over, variable, bodies):
                waiting.append((over, bound, False))
                waiting.extend((body, bound | {variable}, False) for body in bodies)
            case Call("has", (argument,)):
                waiting.append((argument, bound, True))
            case _:
                waiting.extend((child, bound, False) for child in children(node))
    return found


def follow(value: Any, keys: Sequence[PathKey]) -> tuple[Any, PathKey | None]:
    """The value at the end of the path; or the last one there is, and the key that it has not."""
    for key in keys:
        inner = _inner(value, key)
        if inner is _ABSENT:
            return value, key
        value = inner
    return value, None


_ABSENT: Any = object()


def _inner(value: Any, key: PathKey) -> Any:
    if isinstance(key, str):
        return value.get(key, _ABSENT) if is_object(value) else _ABSENT
    return value[key] if is_list(value) and key < len(value) else _ABSENT


_NOTHING = Literal("null", "null", None)


def _known(steps: Sequence[Step]) -> tuple[tuple[PathKey, ...], tuple[Step, ...]]:
    keys: list[PathKey] = []
    for position, step in enumerate(steps):
        match step:
            case FieldStep(name):
                keys.append(name)
            case KeyStep(Literal("string" | "int", _, value)):
                keys.append(cast("str | int", value))
            case _:
                return tuple(keys), tuple(steps[position:])
    return tuple(keys), ()
