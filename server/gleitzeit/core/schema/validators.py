"""JSON Schema validation with plain messages, on top of jsonschema; imported only when a schema has to be applied.

Schemas come from foreign servers. Nothing remote is fetched, patterns are matched in linear time, and a schema that
refers to itself over and over is given up after a number of steps.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from referencing import Registry
from referencing.exceptions import Unresolvable
from referencing.jsonschema import DRAFT202012

from gleitzeit.core.cel.cost import size_of
from gleitzeit.core.data import is_list, is_mapping
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.schema.keywords import (
    FEWEST_STEPS,
    STEPS_A_VALUE,
    BoundedValidator,
    Suggestion,
    TooManySteps,
    shown,
    steps_left,
)
from gleitzeit.core.schema.misfit import TYPES, Kind, Misfit

_MOST = 50
_LOCAL: Registry[Any] = Registry()
"""Knows no schemas and fetches none."""


class Validator:
    """One schema, ready to be applied."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = dict(schema)

    def misfits(self, value: Any) -> list[Misfit]:
        """Where `value` does not fit, at most the first 50 places."""
        steps_left.set([FEWEST_STEPS + STEPS_A_VALUE * size_of(value, 1_000_000).nodes])
        validator = BoundedValidator(self._schema, registry=_LOCAL)
        found: list[Misfit] = []
        try:
            for error in validator.iter_errors(value):
                found.append(_misfit(error))
                if len(found) == _MOST:
                    break
        except (RecursionError, TooManySteps):
            found.append(Misfit((), "is more than its schema can be applied to: one of them is nested too deeply"))
        return list(dict.fromkeys(found))


def schema_misfits(schema: Any) -> list[Misfit]:
    """What keeps `schema` from being a JSON Schema, with references only inside itself."""
    if isinstance(schema, bool):
        return []
    if not is_mapping(schema):
        return [Misfit((), "a schema is an object, such as {type: string}")]
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        return [Misfit(tuple(error.absolute_path), _schema_message(error))]
    except RecursionError:
        return [Misfit((), "is nested too deeply")]
    return list(_remote_references(schema))


def _schema_message(error: SchemaError) -> str:
    if error.absolute_path and error.absolute_path[-1] == "type":
        kind = error.instance
        hint = did_you_mean(str(kind), TYPES) if isinstance(kind, str) else None
        return f"{shown(kind)} is no type; types are {', '.join(TYPES)}" + (f" ({hint})" if hint else "")
    return error.message if len(error.message) < 200 else f'"{error.validator}" is not as a schema has it'


def _remote_references(schema: Mapping[str, Any]) -> Iterator[Misfit]:
    waiting: list[tuple[tuple[str | int, ...], Any]] = [((), schema)]
    resolver = _LOCAL.with_resource("", DRAFT202012.create_resource(dict(schema))).resolver()
    while waiting:
        path, current = waiting.pop()
        if is_mapping(current):
            reference = current.get("$ref")
            if isinstance(reference, str):
                try:
                    resolver.lookup(reference)
                except (Unresolvable, ValueError):
                    yield Misfit((*path, "$ref"), f'"{reference}" is not in the schema, and nothing is fetched')
            waiting.extend(((*path, str(key)), value) for key, value in current.items())
        elif is_list(current):
            waiting.extend(((*path, index), value) for index, value in enumerate(current))


def _misfit(error: ValidationError) -> Misfit:
    if error.context and error.validator in ("anyOf", "oneOf"):
        closest = _misfit(max(error.context, key=lambda inner: (len(inner.relative_path), inner.validator != "type")))
        message = f"fits none of the alternatives; the closest: {closest.message}"
        return Misfit(closest.path, message, "value", closest.hint)
    kinds: dict[str, Kind] = {"required": "missing", "additionalProperties": "unknown"}
    kind = kinds.get(str(error.validator), "value")
    hint = str(error.cause) if isinstance(error.cause, Suggestion) else None
    return Misfit(tuple(error.absolute_path), _message(error), kind, hint)


def _message(error: ValidationError) -> str:
    """The message, without the value: it may be long, or secret."""
    limit = error.validator_value
    match error.validator:
        case "minimum":
            return f"must be at least {limit}"
        case "maximum":
            return f"must be at most {limit}"
        case "exclusiveMinimum":
            return f"must be more than {limit}"
        case "exclusiveMaximum":
            return f"must be less than {limit}"
        case "multipleOf":
            return f"must be a multiple of {limit}"
        case "minLength":
            return "must not be empty" if limit == 1 else f"must have at least {limit} characters"
        case "maxLength":
            return f"must have at most {limit} characters"
        case "minItems":
            return "must not be empty" if limit == 1 else f"must have at least {limit} items"
        case "maxItems":
            return f"must have at most {limit} items"
        case "minProperties":
            return f"must have at least {limit} fields"
        case "maxProperties":
            return f"must have at most {limit} fields"
        case "oneOf":
            return "fits more than one of the alternatives"
        case "not":
            return "must not be of that form"
        case _:
            return error.message if len(error.message) < 300 else f"does not fit {error.validator}"
