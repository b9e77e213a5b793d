"""The keywords of JSON Schema that look at one value, in plain words; what is malformed says nothing."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sized
from fractions import Fraction
from typing import Any

from gleitzeit.core.data import is_list, is_mapping, kind_of
from gleitzeit.core.schema.budget import Budget
from gleitzeit.core.schema.misfit import TYPES, Misfit
from gleitzeit.core.schema.patterns import matches

Check = Callable[[Any, Any, Budget], Iterator[Misfit]]
"""A keyword's value, the value at hand and what is left to spend."""

_SHOWN = 60


def is_type(value: Any, kind: str) -> bool:
    """Whether a value has a type of JSON Schema; true and false are no numbers, and 3.0 is a whole one."""
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return _is_number(value) and (isinstance(value, int) or (math.isfinite(value) and value.is_integer()))
        case "number":
            return _is_number(value)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return is_list(value)
        case "object":
            return is_mapping(value)
        case _:
            return value is None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def shown(value: Any) -> str:
    """A value as short JSON, made without going through all of a long one."""
    text = ""
    cut = value[: _SHOWN + 1] if isinstance(value, str) else value
    for piece in json.JSONEncoder(ensure_ascii=False, default=str).iterencode(cut):
        text += piece[: _SHOWN + 1]
        if len(text) > _SHOWN:
            return text[: _SHOWN - 3] + "..."
    return text


def _type(expected: Any, value: Any, budget: Budget) -> Iterator[Misfit]:
    kinds: list[Any] = expected if is_list(expected) else [expected]
    budget.spend(len(kinds))
    known = [kind for kind in kinds if isinstance(kind, str) and kind in TYPES]
    if known and len(known) == len(kinds) and not any(is_type(value, kind) for kind in known):
        wanted = " or ".join(TYPES[kind] for kind in dict.fromkeys(known))
        yield Misfit((), f"must be {wanted}, not {kind_of(value)}")


def _required(expected: Any, value: Any, budget: Budget) -> Iterator[Misfit]:
    if is_mapping(value) and is_list(expected):
        budget.spend(len(expected) // 10)
        for name in expected:
            if isinstance(name, str) and name not in value:
                yield Misfit((name,), "is missing", "missing")


def _dependent_required(expected: Any, value: Any, budget: Budget) -> Iterator[Misfit]:
    if is_mapping(value) and is_mapping(expected):
        for name, others in expected.items():
            budget.spend()
            if name in value:
                yield from _required(others, value, budget)


def _enum(expected: Any, value: Any, budget: Budget) -> Iterator[Misfit]:
    if not is_list(expected) or any(_same(value, allowed, budget) for allowed in expected):
        return
    budget.spend(20)
    listed = ", ".join(shown(allowed) for allowed in expected[:20])
    yield Misfit((), f"must be one of {listed}", hint=budget.guess(value, expected))


def _const(expected: Any, value: Any, budget: Budget) -> Iterator[Misfit]:
    if not _same(value, expected, budget):
        yield Misfit((), f"must be {shown(expected)}")


def _same(one: Any, other: Any, budget: Budget) -> bool:
    budget.spend()
    if isinstance(one, bool) != isinstance(other, bool):
        return False
    if isinstance(one, (Mapping, list)) and isinstance(other, (Mapping, list)):
        budget.spend_on(other)
    elif isinstance(one, str):
        budget.spend(len(one) // 10_000)
    return bool(one == other)


def _pattern(expected: Any, value: Any, budget: Budget) -> Iterator[Misfit]:
    if isinstance(value, str) and isinstance(expected, str) and matches(expected, value, budget) is False:
        yield Misfit((), f"does not match the pattern {expected[:100]}")


def _unique(expected: Any, value: Any, budget: Budget) -> Iterator[Misfit]:
    if expected is not True or not is_list(value):
        return
    seen: set[Any] = set()
    for item in value:
        budget.spend_on(item)
        mark = _mark(item)
        if mark in seen:
            yield Misfit((), "has an item twice")
            return
        seen.add(mark)


def _mark(item: Any) -> Any:
    """What equal items have in common, and only they."""
    if isinstance(item, (Mapping, list)):
        return "json", json.dumps(item, sort_keys=True, default=str)
    return isinstance(item, bool), item


def _multiple(expected: Any, value: Any, _budget: Budget) -> Iterator[Misfit]:
    if not (_is_number(value) and _is_number(expected)) or expected <= 0:
        return
    if any(isinstance(number, float) and not math.isfinite(number) for number in (value, expected)):
        return
    quotient = value / expected if abs(value) < 1e300 else math.inf
    if isinstance(expected, int) and isinstance(value, int):
        fits = value % expected == 0
    elif math.isfinite(quotient):
        fits = quotient == int(quotient)
    else:
        fits = (Fraction(value) / Fraction(expected)).denominator == 1
    if not fits:
        yield Misfit((), f"must be a multiple of {expected}")


def _limit(words: str, exceeded: Callable[[Any, Any], bool]) -> Check:
    def check(expected: Any, value: Any, _budget: Budget) -> Iterator[Misfit]:
        if _is_number(value) and _is_number(expected) and exceeded(value, expected):
            yield Misfit((), f"must be {words} {expected}")

    return check


def _length(kind: type[Any] | tuple[type[Any], ...], noun: str, *, least: bool) -> Check:
    def check(expected: Any, value: Any, _budget: Budget) -> Iterator[Misfit]:
        if not (isinstance(value, Sized) and isinstance(value, kind) and _is_number(expected)):
            return
        if least and len(value) < expected:
            few = f"must have at least {expected} {noun}"
            yield Misfit((), "must not be empty" if expected == 1 and noun != "fields" else few)
        elif not least and len(value) > expected:
            yield Misfit((), f"must have at most {expected} {noun}")

    return check


CHECKS: Mapping[str, Check] = {
    "type": _type,
    "required": _required,
    "dependentRequired": _dependent_required,
    "enum": _enum,
    "const": _const,
    "pattern": _pattern,
    "uniqueItems": _unique,
    "multipleOf": _multiple,
    "minimum": _limit("at least", lambda value, limit: value < limit),
    "maximum": _limit("at most", lambda value, limit: value > limit),
    "exclusiveMinimum": _limit("more than", lambda value, limit: value <= limit),
    "exclusiveMaximum": _limit("less than", lambda value, limit: value >= limit),
    "minLength": _length(str, "characters", least=True),
    "maxLength": _length(str, "characters", least=False),
    "minItems": _length(list, "items", least=True),
    "maxItems": _length(list, "items", least=False),
    "minProperties": _length(Mapping, "fields", least=True),
    "maxProperties": _length(Mapping, "fields", least=False),
}
"""Each of these keywords with what it checks."""
