"""The fields and items of a value that no other keyword of a schema, or of those it is made of, has looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from gleitzeit.core.data import PathKey, is_list, is_mapping
from gleitzeit.core.schema.misfit import Misfit
from gleitzeit.core.schema.patterns import matches

if TYPE_CHECKING:
    from gleitzeit.core.schema.validators import Application


def unevaluated(
    application: Application, schema: Mapping[str, Any], value: Any, path: tuple[PathKey, ...], keyword: str
) -> Iterator[Misfit]:
    """Where what is left over does not fit `unevaluatedProperties` or `unevaluatedItems`."""
    if keyword == "unevaluatedProperties" and is_mapping(value):
        left: list[tuple[PathKey, Any]] = list(value.items())
    elif keyword == "unevaluatedItems" and is_list(value):
        left = list(enumerate(value))
    else:
        return
    application.budget.spend(len(left) // 10)
    seen = _seen(application, {key: inner for key, inner in schema.items() if key != keyword}, value)
    for key, item in left:
        application.budget.spend()
        if key not in seen:
            expected = schema[keyword]
            if expected is False:
                yield Misfit((*path, key), "is not known", "unknown" if isinstance(key, str) else "value")
            else:
                yield from application.misfits(expected, item, (*path, key))


def _seen(application: Application, schema: Any, value: Any) -> set[PathKey]:
    """The names or positions that a schema which the value fits looks at."""
    application.budget.spend()
    if not is_mapping(schema):
        return set()
    seen = _names(application, schema, value) if is_mapping(value) else _positions(application, schema, value)
    application.budget.spend(len(seen) // 10)
    for inner in _parts(application, schema, value):
        if application.fits(inner, value):
            seen |= _seen(application, inner, value)
    return seen


def _names(application: Application, schema: Mapping[str, Any], value: Mapping[str, Any]) -> set[PathKey]:
    if "additionalProperties" in schema or "unevaluatedProperties" in schema:
        return set(value)
    properties, patterns = schema.get("properties"), schema.get("patternProperties")
    seen: set[PathKey] = set(value.keys() & properties.keys()) if is_mapping(properties) else set()
    for pattern in patterns if is_mapping(patterns) else ():
        seen.update(name for name in value if matches(pattern, name, application.budget) is not False)
    return seen


def _positions(application: Application, schema: Mapping[str, Any], value: list[Any]) -> set[PathKey]:
    if "items" in schema or "unevaluatedItems" in schema:
        return set(range(len(value)))
    before = schema.get("prefixItems")
    seen: set[PathKey] = set(range(len(before))) if is_list(before) else set()
    if "contains" in schema:
        seen.update(index for index, item in enumerate(value) if application.fits(schema["contains"], item))
    return seen


def _parts(application: Application, schema: Mapping[str, Any], value: Any) -> Iterator[Any]:
    """The schemas that a schema applies to the same value."""
    for keyword in ("$ref", "$dynamicRef"):
        if isinstance(schema.get(keyword), str):
            yield application.targets.find(schema[keyword])
    for keyword in ("allOf", "anyOf", "oneOf"):
        schemas = schema.get(keyword)
        if is_list(schemas):
            yield from schemas
    if "if" in schema:
        yield schema["if"]
        yield schema.get("then" if application.fits(schema["if"], value) else "else")
    dependent = schema.get("dependentSchemas")
    if is_mapping(dependent) and is_mapping(value):
        yield from (inner for name, inner in dependent.items() if name in value)
