"""What is known of a value before there is one: which fields and items it has, and of what types it may be."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

KINDS = frozenset({"string", "integer", "number", "boolean", "array", "object", "null"})
"""The types of JSON Schema."""

_NULL = frozenset({"null"})


class Each:
    """Stands in a path for any item of a list, whatever its position."""


EACH: Final = Each()
Key = str | int | Each


@dataclass(frozen=True, slots=True)
class Absent:
    """What is not there. `certain` where the declaration leaves no room for it; `names` are those there are."""

    certain: bool
    names: tuple[str, ...] = ()
    kind: str | None = None


class Shape(Protocol):
    """Whatever is known of a value."""

    @property
    def kinds(self) -> frozenset[str]:
        """The types of JSON Schema that it may be of."""
        ...

    def at(self, key: Key) -> Shape | Absent:
        """What is known of a field or an item of it."""
        ...


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing is known."""

    kinds: frozenset[str] = KINDS

    def at(self, key: Key) -> Shape | Absent:
        """Nothing is known of that either."""
        return UNKNOWN


UNKNOWN: Final = Unknown()


@dataclass(frozen=True, slots=True)
class Fields:
    """An object with these fields and no other."""

    fields: Mapping[str, Shape]
    kinds: frozenset[str] = frozenset({"object"})

    def at(self, key: Key) -> Shape | Absent:
        """The field, if it is one of them."""
        found = self.fields.get(key) if isinstance(key, str) else UNKNOWN
        return Absent(True, tuple(self.fields)) if found is None else found


@dataclass(frozen=True, slots=True)
class Items:
    """A list of items that are alike."""

    item: Shape
    kinds: frozenset[str] = frozenset({"array"})

    def at(self, key: Key) -> Shape | Absent:
        """An item; a list has no fields."""
        return Absent(True, kind="array") if isinstance(key, str) else self.item


@dataclass(frozen=True, slots=True)
class Either:
    """One of several shapes."""

    shapes: Sequence[Shape]

    @property
    def kinds(self) -> frozenset[str]:
        """All that any of them may be."""
        return frozenset[str]().union(*(shape.kinds for shape in self.shapes))

    def at(self, key: Key) -> Shape | Absent:
        """What those of them that have it say of it."""
        answers = [shape.at(key) for shape in self.shapes if shape.kinds != _NULL]
        known = [answer for answer in answers if not isinstance(answer, Absent)]
        if known or not answers:
            return known[0] if len(known) == 1 else Either(known) if known else UNKNOWN
        return joined(answer for answer in answers if isinstance(answer, Absent))


def joined(answers: Iterable[Absent]) -> Absent:
    """What several that have not got it say together; it is certain where all of them are."""
    found = tuple(answers)
    names = dict.fromkeys(name for answer in found for name in answer.names)
    kinds = {answer.kind for answer in found}
    return Absent(all(answer.certain for answer in found), tuple(names), kinds.pop() if len(kinds) == 1 else None)
