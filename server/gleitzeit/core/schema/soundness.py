"""Whether a schema is one: every keyword of the right form, every reference inside of it, and none too heavy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gleitzeit.core.data import PathKey, is_list, is_mapping
from gleitzeit.core.schema.budget import Budget, TooMuchToCheck
from gleitzeit.core.schema.keywords import shown
from gleitzeit.core.schema.misfit import TYPES, Misfit
from gleitzeit.core.schema.patterns import pattern_problem
from gleitzeit.core.schema.targets import Targets
from gleitzeit.core.schema.validators import Application

_MOST = 50
_SAMPLES: tuple[Any, ...] = ({}, [], "", 0)
_TOO_MUCH = "is too much to check: it is too large, refers to itself without an end, or has too many patterns"

_SCHEMA = frozenset(
    {
        "additionalProperties",
        "contains",
        "contentSchema",
        "else",
        "if",
        "items",
        "not",
        "propertyNames",
        "then",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_SCHEMAS_BY_NAME = frozenset({"$defs", "definitions", "dependentSchemas", "patternProperties", "properties"})
_SCHEMA_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})

Path = tuple[PathKey, ...]


def schema_misfits(schema: Any) -> list[Misfit]:
    """What keeps `schema` from being a JSON Schema that values can be checked against, at most the first 50 places."""
    if not isinstance(schema, bool) and not is_mapping(schema):
        return [Misfit((), "a schema is an object, such as {type: string}")]
    budget = Budget()
    found: list[Misfit] = []
    try:
        for misfit in _misfits(schema, budget):
            found.append(misfit)
            if len(found) == _MOST:
                return found
        if not found:
            _try(schema)
    except TooMuchToCheck:
        found.append(Misfit((), _TOO_MUCH))
    except RecursionError:
        found.append(Misfit((), "is nested too deeply"))
    except Exception as error:  # noqa: BLE001 - whatever a schema does to those who read it, it is the schema's fault
        found.append(Misfit((), f"cannot be used as a schema ({type(error).__name__})"))
    return found


def _try(schema: Any) -> None:
    """Apply it to the simplest values: what does not end there ends nowhere."""
    budget = Budget()
    for sample in _SAMPLES:
        for _ in Application(schema, budget).misfits(schema, sample, ()):
            pass


def _misfits(schema: Any, budget: Budget) -> Iterator[Misfit]:
    waiting: list[tuple[Path, Any, Targets]] = [((), schema, Targets(schema, budget))]
    while waiting:
        path, current, targets = waiting.pop()
        budget.spend()
        if not is_mapping(current):
            if not isinstance(current, bool):
                yield Misfit(path, "a schema is an object, such as {type: string}, or true or false")
            continue
        if "$id" in current and path:
            targets = Targets(current, budget)
        for keyword, expected in current.items():
            budget.spend(2)
            yield from _wrong(keyword, expected, (*path, keyword), targets, budget)
            waiting.extend((place, inner, targets) for place, inner in _inner(keyword, expected, (*path, keyword)))


def _inner(keyword: str, expected: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """The schemas in a keyword."""
    if keyword in _SCHEMA:
        yield path, expected
    elif keyword in _SCHEMAS_BY_NAME and is_mapping(expected):
        yield from (((*path, name), inner) for name, inner in expected.items())
    elif keyword in _SCHEMA_LISTS and is_list(expected):
        yield from (((*path, index), inner) for index, inner in enumerate(expected))


def _wrong(keyword: str, expected: Any, path: Path, targets: Targets, budget: Budget) -> Iterator[Misfit]:
    if keyword == "type":
        yield from _wrong_type(expected, path, budget)
    elif keyword in ("$ref", "$dynamicRef"):
        if not isinstance(expected, str) or targets.find(expected) is None:
            yield Misfit(path, f"{shown(expected)} is not in the schema, and nothing is fetched")
    elif keyword == "pattern":
        yield from _wrong_pattern(expected, path, budget)
    elif keyword in _FORMS and not _FORMS[keyword][0](expected):
        yield Misfit(path, f"must be {_FORMS[keyword][1]}")
    elif keyword == "patternProperties":
        for pattern in expected:
            yield from _wrong_pattern(pattern, (*path, pattern), budget)


def _wrong_type(expected: Any, path: Path, budget: Budget) -> Iterator[Misfit]:
    kinds: list[Any] = expected if is_list(expected) else [expected]
    budget.spend(len(kinds))
    for index, kind in enumerate(kinds):
        if not isinstance(kind, str) or kind not in TYPES:
            hint = budget.guess(kind, TYPES)
            told = f"{shown(kind)} is no type; types are {', '.join(TYPES)}" + (f" ({hint})" if hint else "")
            yield Misfit((*path, index) if is_list(expected) else path, told)
    if not kinds:
        yield Misfit(path, "must name a type")


def _wrong_pattern(pattern: Any, path: Path, budget: Budget) -> Iterator[Misfit]:
    problem = pattern_problem(pattern, budget) if isinstance(pattern, str) else "must be text"
    if problem is not None:
        yield Misfit(path, problem)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _are_texts(value: Any) -> bool:
    return is_list(value) and all(isinstance(item, str) for item in value)


def _is_filled(value: Any) -> bool:
    return is_list(value) and bool(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _are_texts_by_name(value: Any) -> bool:
    return is_mapping(value) and all(_are_texts(names) for names in value.values())


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_divisor(value: Any) -> bool:
    return _is_number(value) and value > 0


_NUMBER = (_is_number, "a number")
_COUNT = (_is_count, "a whole number of 0 or more")
_OBJECT = (is_mapping, "an object of schemas")
_LIST = (_is_filled, "a list of schemas")
_TEXT = (_is_text, "text")

_FORMS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "$id": _TEXT,
    "$anchor": _TEXT,
    "$dynamicAnchor": _TEXT,
    "enum": (is_list, "a list"),
    "multipleOf": (_is_divisor, "a number above 0"),
    "required": (_are_texts, "a list of names"),
    "dependentRequired": (
        _are_texts_by_name,
        "lists of names by name",
    ),
    "uniqueItems": (_is_flag, "true or false"),
    **dict.fromkeys(("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"), _NUMBER),
    **dict.fromkeys(
        (
            "minLength",
            "maxLength",
            "minItems",
            "maxItems",
            "minProperties",
            "maxProperties",
            "minContains",
            "maxContains",
        ),
        _COUNT,
    ),
    **dict.fromkeys(sorted(_SCHEMAS_BY_NAME), _OBJECT),
    **dict.fromkeys(sorted(_SCHEMA_LISTS), _LIST),
}
"""What each keyword has to be, and how that is said."""
