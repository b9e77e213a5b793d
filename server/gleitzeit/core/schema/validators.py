"""JSON Schema 2020-12, applied within a budget: schemas come from foreign servers.

Nothing remote is fetched, patterns are matched in linear time, and whatever a schema is, applying it ends soon.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from gleitzeit.core.data import PathKey, is_list, is_mapping
from gleitzeit.core.schema.alternatives import misnamed, required_names
from gleitzeit.core.schema.budget import Budget
from gleitzeit.core.schema.keywords import CHECKS
from gleitzeit.core.schema.misfit import Misfit
from gleitzeit.core.schema.patterns import matches
from gleitzeit.core.schema.targets import Targets
from gleitzeit.core.schema.unevaluated import unevaluated

_MOST_COMPARED = 20

Path = tuple[PathKey, ...]
Found = Iterator[Misfit]


class Application:
    """One schema being applied to one value."""

    def __init__(self, root: Any, budget: Budget) -> None:
        self.budget = budget
        self.targets = Targets(root, budget)

    def fits(self, schema: Any, value: Any) -> bool:
        """Whether `value` fits `schema`."""
        return next(self.misfits(schema, value, ()), None) is None

    def misfits(self, schema: Any, value: Any, path: Path) -> Found:
        """Where `value`, which is at `path`, does not fit `schema`."""
        self.budget.spend()
        if schema is False:
            yield Misfit(path, "must not be there")
        if not is_mapping(schema):
            return
        if "$id" in schema and schema is not self.targets.root:
            yield from self._within(schema).applied(schema, value, path)
        else:
            yield from self.applied(schema, value, path)

    def applied(self, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
        """Where `value` does not fit the keywords of `schema`, in their order."""
        self.budget.spend(len(schema) // 10)
        for keyword, expected in schema.items():
            check = CHECKS.get(keyword)
            if check is not None:
                self.budget.spend()
                for misfit in check(expected, value, self.budget):
                    self.budget.spend()
                    yield replace(misfit, path=(*path, *misfit.path), keyword=keyword)
            elif keyword in APPLIED:
                self.budget.spend()
                yield from APPLIED[keyword](self, schema, value, path)

    def _within(self, schema: Mapping[str, Any]) -> Application:
        """A schema with an id of its own is what its references begin at."""
        return Application(schema, self.budget)


def _reference(keyword: str) -> Callable[[Application, Mapping[str, Any], Any, Path], Found]:
    def follow(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
        reference = schema[keyword]
        target = application.targets.find(reference) if isinstance(reference, str) else None
        if target is not None:  # what the schema does not contain is left to the provider, which has the last word
            yield from application.misfits(target, value, path)

    return follow


def _properties(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    properties = schema["properties"]
    if not is_mapping(value) or not is_mapping(properties):
        return
    application.budget.spend(len(properties) // 10)
    for name, inner in properties.items():
        if name in value:
            yield from application.misfits(inner, value[name], (*path, name))


def _pattern_properties(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    patterns = schema["patternProperties"]
    if not is_mapping(value) or not is_mapping(patterns):
        return
    for pattern, inner in patterns.items():
        for name, item in value.items():
            if matches(pattern, name, application.budget):
                yield from application.misfits(inner, item, (*path, name))


def _additional(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    expected = schema["additionalProperties"]
    if not is_mapping(value) or expected is True:
        return
    listed, patterns = schema.get("properties"), schema.get("patternProperties")
    known: Mapping[str, Any] = listed if is_mapping(listed) else {}
    for name, item in value.items():
        application.budget.spend()
        if name in known or _is_patterned(name, patterns, application.budget):
            continue
        if expected is False:
            names = ", ".join(_short(other) for other in islice(known, 20)) or "none"
            hint = application.budget.guess(name, known)
            yield Misfit((*path, name), f"is not known; known are: {names}", "unknown", hint)
        else:
            yield from application.misfits(expected, item, (*path, name))


def _is_patterned(name: str, patterns: Any, budget: Budget) -> bool:
    """Whether a pattern may be meant for a field; one that cannot be applied may."""
    return is_mapping(patterns) and any(matches(pattern, name, budget) is not False for pattern in patterns)


def _short(name: str) -> str:
    return name if len(name) <= 60 else name[:57] + "..."


def _names(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    if is_mapping(value):
        for name in value:
            for misfit in application.misfits(schema["propertyNames"], name, ()):
                yield Misfit((*path, name), f"cannot be the name: it {misfit.message}", keyword="propertyNames")


def _items(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    inner, before = schema["items"], schema.get("prefixItems")
    if not is_list(value) or inner is True or inner == {}:
        return
    if is_list(inner):
        yield from _positions(application, inner, value, path)
        return
    for index in range(len(before) if is_list(before) else 0, len(value)):
        yield from application.misfits(inner, value[index], (*path, index))


def _prefix(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    if is_list(value) and is_list(schema["prefixItems"]):
        yield from _positions(application, schema["prefixItems"], value, path)


def _positions(application: Application, schemas: list[Any], value: list[Any], path: Path) -> Found:
    for index, (inner, item) in enumerate(zip(schemas, value, strict=False)):
        yield from application.misfits(inner, item, (*path, index))


def _contains(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    if not is_list(value):
        return
    least, most = schema.get("minContains", 1), schema.get("maxContains", len(value))
    count = sum(application.fits(schema["contains"], item) for item in value)
    if not least <= count <= most:
        limits = f"{least}" if most >= len(value) else f"{least} to {most}"
        yield Misfit(path, f"must have at least {limits} items of a certain form, not {count}", keyword="contains")


def _all_of(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    for inner in _schemas(schema["allOf"]):
        yield from application.misfits(inner, value, path)


def _any_of(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    schemas = _schemas(schema["anyOf"])
    if is_mapping(value) and (names := required_names(schemas)):
        yield from _misnamed(value, names, path, only_one=False)
    elif (misfit := _closest(application, schemas, value, path)) is not None:
        yield misfit


def _one_of(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    schemas = _schemas(schema["oneOf"])
    if is_mapping(value) and (names := required_names(schemas)):
        yield from _misnamed(value, names, path, only_one=True)
    elif (misfit := _closest(application, schemas, value, path)) is not None:
        yield misfit
    elif sum(1 for _ in islice((inner for inner in schemas if application.fits(inner, value)), 2)) > 1:
        yield Misfit(path, "fits more than one of the alternatives", keyword="oneOf")


def _misnamed(value: Mapping[str, Any], names: list[str], path: Path, *, only_one: bool) -> Found:
    """All that alternatives find which ask for nothing but one of these fields each."""
    message = misnamed(value, names, only_one=only_one)
    if message is not None:
        yield Misfit(path, message, keyword="required")


def _closest(application: Application, schemas: list[Any], value: Any, path: Path) -> Misfit | None:
    """The misfit of the alternative that was most likely meant; nothing where the value fits one, or none is given."""
    found: list[Misfit] = []
    for inner in schemas:
        misfits = list(islice(application.misfits(inner, value, path), _MOST_COMPARED))
        if not misfits:
            return None
        found.extend(misfits)
    if not found:
        return None
    closest = max(found, key=lambda misfit: (len(misfit.path), misfit.keyword != "type"))
    told = closest.message
    message = told if told.startswith("fits none") else f"fits none of the alternatives; the closest: {told}"
    return replace(closest, message=message, kind="value", keyword="anyOf")


def _not(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    inner = schema["not"]
    if (inner is True or is_mapping(inner)) and application.fits(inner, value):
        yield Misfit(path, "must not be of that form", keyword="not")


def _if(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    then = "then" if application.fits(schema["if"], value) else "else"
    if then in schema:
        yield from application.misfits(schema[then], value, path)


def _dependent(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
    schemas = schema["dependentSchemas"]
    if is_mapping(value) and is_mapping(schemas):
        application.budget.spend(len(schemas) // 10)
        for name, inner in schemas.items():
            if name in value:
                yield from application.misfits(inner, value, path)


def _unevaluated(keyword: str) -> Callable[[Application, Mapping[str, Any], Any, Path], Found]:
    def apply(application: Application, schema: Mapping[str, Any], value: Any, path: Path) -> Found:
        return unevaluated(application, schema, value, path, keyword)

    return apply


def _schemas(expected: Any) -> list[Any]:
    return expected if is_list(expected) else []


APPLIED: Mapping[str, Callable[[Application, Mapping[str, Any], Any, Path], Found]] = {
    "$ref": _reference("$ref"),
    "$dynamicRef": _reference("$dynamicRef"),
    "properties": _properties,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional,
    "propertyNames": _names,
    "items": _items,
    "prefixItems": _prefix,
    "contains": _contains,
    "allOf": _all_of,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "not": _not,
    "if": _if,
    "dependentSchemas": _dependent,
    "unevaluatedItems": _unevaluated("unevaluatedItems"),
    "unevaluatedProperties": _unevaluated("unevaluatedProperties"),
}
