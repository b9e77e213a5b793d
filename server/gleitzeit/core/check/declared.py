"""The shape of a value that a JSON Schema declares."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gleitzeit.core.check.shapes import KINDS, UNKNOWN, Absent, Each, Either, Key, Shape, Unknown, joined
from gleitzeit.core.data import is_list, is_mapping
from gleitzeit.core.schema.budget import Budget, TooMuchToCheck
from gleitzeit.core.schema.targets import Targets

_BEYOND = ("patternProperties", "if", "dependentSchemas", "dependencies", "$dynamicRef", "$recursiveRef")
_DEEPEST = 12


@dataclass(frozen=True, slots=True)
class Declared:
    """What a schema says. Schemas are foreign: where reading one is too much, nothing is known."""

    schema: Any
    targets: Targets = field(compare=False, repr=False)
    budget: Budget = field(compare=False, repr=False)
    depth: int = 0

    @property
    def kinds(self) -> frozenset[str]:
        """The types that no part of it forbids."""
        try:
            self.budget.spend()
            found = _kinds(self.schema)
            for part in self._parts():
                found &= part.kinds
        except (TooMuchToCheck, RecursionError):
            return KINDS
        return found or KINDS

    def at(self, key: Key) -> Shape | Absent:
        """What all parts of it together say of a field or an item."""
        try:
            self.budget.spend()
            own = self._own(key) if is_mapping(self.schema) else None
            answers = [*([] if own is None else [own]), *(part.at(key) for part in self._parts())]
        except (TooMuchToCheck, RecursionError):
            return UNKNOWN
        return self._together(answers)

    def _together(self, answers: list[Shape | Absent]) -> Shape | Absent:
        absent = [answer for answer in answers if isinstance(answer, Absent)]
        certain = [answer for answer in absent if answer.certain]
        if certain:
            return joined(certain)
        known = [answer for answer in answers if not isinstance(answer, (Absent, Unknown))]
        if known:
            return known[0]
        if not absent or len(absent) < len(answers):
            return UNKNOWN
        closed = self.schema.get("unevaluatedProperties") is False
        return Absent(closed, joined(absent).names)

    def _own(self, key: Key) -> Shape | Absent | None:
        """What its own keywords say, if anything."""
        kinds = _kinds(self.schema)
        if isinstance(key, str):
            return self._field(key) if "object" in kinds else _of_another(kinds)
        if "array" in kinds:
            return self._item(key)
        # Of a text CEL has no items, but a path takes its characters; what goes over an object takes its keys.
        return UNKNOWN if "string" in kinds or isinstance(key, Each) else _of_another(kinds)

    def _field(self, key: str) -> Shape | Absent | None:
        listed, others = self.schema.get("properties"), self.schema.get("additionalProperties")
        properties: Mapping[str, Any] = listed if is_mapping(listed) else {}
        if key in properties:
            declared = properties[key]
            return Absent(True, _others(properties, key)) if declared is False else self._inner(declared)
        if any(word in self.schema for word in _BEYOND):
            return UNKNOWN
        if is_mapping(others) and others:
            return self._inner(others)
        if others is False:
            return Absent(True, tuple(properties))
        return Absent(False, tuple(properties)) if properties else None

    def _item(self, key: int | Each) -> Shape | Absent | None:
        listed, others = self.schema.get("prefixItems"), self.schema.get("items")
        if is_list(others):  # as drafts before 2020-12 have it
            listed, others = others, self.schema.get("additionalItems")
        first = listed if is_list(listed) else []
        if first and (isinstance(key, Each) or key < len(first)):
            return UNKNOWN if isinstance(key, Each) else self._inner(first[key])
        if others is False:
            return Absent(True, kind="array")
        return self._inner(others) if is_mapping(others) else None

    def _parts(self) -> Iterator[Shape]:
        """What its reference and its alternatives say, which holds beside its own keywords."""
        if not is_mapping(self.schema):
            return
        if self.depth >= _DEEPEST:
            yield UNKNOWN
            return
        reference = self.schema.get("$ref")
        if isinstance(reference, str):
            target = self.targets.find(reference)
            yield UNKNOWN if target is None else self._inner(target)
        every = self.schema.get("allOf")
        if is_list(every):
            yield from (self._inner(schema) for schema in every)
        for keyword in ("anyOf", "oneOf"):
            some = self.schema.get(keyword)
            if is_list(some) and some:
                yield Either([self._inner(schema) for schema in some])

    def _inner(self, schema: Any) -> Declared:
        return Declared(schema, self.targets, self.budget, self.depth + 1)


def declared(schema: Any) -> Declared:
    """The shape that a whole schema declares."""
    budget = Budget()
    return Declared(schema, Targets(schema, budget), budget)


def _kinds(schema: Any) -> frozenset[str]:
    named = schema.get("type") if is_mapping(schema) else None
    names = named if is_list(named) else [named]
    found = KINDS.intersection(name for name in names if isinstance(name, str))
    return found or KINDS


def _of_another(kinds: frozenset[str]) -> Absent:
    """What a value of these types says of a field or an item."""
    rest = kinds - {"null"}
    return Absent(True, kind=next(iter(rest)) if len(rest) == 1 else None)


def _others(properties: Mapping[str, Any], key: str) -> tuple[str, ...]:
    return tuple(name for name in properties if name != key)
