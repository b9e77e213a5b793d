"""The keywords of JSON Schema that say things in plain words, or that the library would do at any cost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any, cast

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend  # pyright: ignore[reportUnknownVariableType]  # the library has no types
from referencing.exceptions import Unresolvable

from gleitzeit.core.data import is_list, is_mapping, kind_of
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.schema.misfit import TYPES
from gleitzeit.core.schema.patterns import MAX_TEXT, matches

FEWEST_STEPS = 10_000
STEPS_A_VALUE = 50

Keyword = Callable[[Any, Any, Any, Any], Any]

steps_left: ContextVar[list[int]] = ContextVar("steps_left")
"""How many keywords may still be applied to the value at hand: a list of one number."""


class TooManySteps(Exception):
    """A schema that goes on and on."""


class Suggestion(Exception):
    """Carries the hint of a validation error as its cause."""


def _type(validator: Any, expected: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    kinds: list[Any] = expected if is_list(expected) else [expected]
    known = [kind for kind in kinds if kind in TYPES]
    if len(known) == len(kinds) and not any(validator.is_type(instance, kind) for kind in known):
        yield ValidationError(f"must be {' or '.join(TYPES[kind] for kind in known)}, not {kind_of(instance)}")


def _required(_validator: Any, expected: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if is_mapping(instance) and is_list(expected):
        for name in expected:
            if name not in instance:
                yield ValidationError("is missing", path=(str(name),), validator="required")


def _additional(validator: Any, expected: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not is_mapping(instance):
        return
    properties = schema.get("properties")
    known: Mapping[str, Any] = properties if is_mapping(properties) else {}
    patterns = list(schema.get("patternProperties") or ())
    for name, value in instance.items():
        if name in known or any(matches(pattern, name) is not False for pattern in patterns):
            continue
        if expected is False:
            hint = did_you_mean(name, known)
            known_names = ", ".join(list(known)[:20]) or "none"
            error = ValidationError(
                f"is not known; known are: {known_names}", path=(name,), validator="additionalProperties"
            )
            error.cause = Suggestion(hint) if hint else None
            yield error
        elif expected is not True:
            yield from validator.descend(value, expected, path=name)


def _pattern(_validator: Any, expected: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, str) or not isinstance(expected, str):
        return
    if len(instance) > MAX_TEXT:
        yield ValidationError(f"has {len(instance):,} characters, more than a pattern is applied to")
    elif matches(expected, instance) is False:
        yield ValidationError(f"does not match the pattern {expected[:100]}")


def _pattern_properties(validator: Any, expected: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not is_mapping(instance) or not is_mapping(expected):
        return
    for pattern, schema in expected.items():
        for name, value in instance.items():
            if matches(pattern, name):
                yield from validator.descend(value, schema, path=name, schema_path=pattern)


def _unique(_validator: Any, expected: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if expected is not True or not is_list(instance):
        return
    seen: set[str] = set()
    for item in instance:
        text = json.dumps(item, sort_keys=True, default=str)
        if text in seen:
            yield ValidationError("has an item twice")
            return
        seen.add(text)


def _enum(_validator: Any, expected: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not is_list(expected):
        return
    allowed = expected
    if not any(_same(instance, value) for value in allowed):
        listed = ", ".join(shown(value) for value in allowed[:20])
        error = ValidationError(f"must be one of {listed}")
        words = [value for value in allowed if isinstance(value, str)]
        hint = did_you_mean(instance, words) if isinstance(instance, str) else None
        error.cause = Suggestion(hint) if hint else None
        yield error


def _const(_validator: Any, expected: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    if not _same(instance, expected):
        yield ValidationError(f"must be {shown(expected)}")


def _reference(validator: Any, expected: Any, instance: Any, _schema: Any) -> Iterator[ValidationError]:
    try:
        resolved = validator._resolver.lookup(expected)  # noqa: SLF001  # no public way keeps the budget
    except (Unresolvable, ValueError, TypeError, AttributeError):
        return  # what the schema does not contain is left to the provider, which has the last word
    yield from validator.descend(instance, resolved.contents, resolver=resolved.resolver)


def _unevaluated(validator: Any, expected: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if "patternProperties" in json.dumps(validator.schema, default=str):
        return  # the library would apply the patterns in exponential time
    yield from _ORIGINAL["unevaluatedProperties"](validator, expected, instance, schema) or ()


def _same(one: Any, other: Any) -> bool:
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def shown(value: Any) -> str:
    """A value as short JSON."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "..."


def _counted(keyword: Keyword) -> Keyword:
    def counted(validator: Any, expected: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        left = steps_left.get()
        left[0] -= 1
        if left[0] < 0:
            raise TooManySteps
        yield from keyword(validator, expected, instance, schema) or ()

    return counted


_ORIGINAL = cast("Mapping[str, Keyword]", Draft202012Validator.VALIDATORS)
_OWN: dict[str, Keyword] = {
    "type": _type,
    "required": _required,
    "additionalProperties": _additional,
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "uniqueItems": _unique,
    "enum": _enum,
    "const": _const,
    "$ref": _reference,
    "unevaluatedProperties": _unevaluated,
}

BoundedValidator: Any = extend(  # type: ignore[no-untyped-call]  # the library has no types
    Draft202012Validator, {name: _counted(_OWN.get(name, keyword)) for name, keyword in _ORIGINAL.items()}
)
"""The validator of the library with our keywords, each application of which is counted."""
