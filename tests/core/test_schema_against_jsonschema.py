"""Our evaluator and the reference library agree on what fits."""

from __future__ import annotations

from typing import Any

import jsonschema
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gleitzeit.core.schema import schema_problems

_NAMES = st.sampled_from(["a", "b", "ab", "x-1"])
_SCALARS = st.one_of(
    st.none(),
    st.integers(-3, 9),
    st.sampled_from([0.5, 1.5, 2.0, -1.0]),
    st.sampled_from(["", "a", "ab", "abc", "x-1"]),
)
_VALUES = st.recursive(
    st.one_of(_SCALARS, st.booleans()),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_NAMES, inner, max_size=4)),
    max_leaves=8,
)
_TYPES = st.sampled_from(["null", "boolean", "integer", "number", "string", "array", "object"])


def _keywords(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    small, schemas = st.integers(0, 3), st.lists(inner, min_size=1, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.one_of(_TYPES, st.lists(_TYPES, min_size=1, max_size=3, unique=True)),
            "enum": st.lists(_SCALARS, min_size=1, max_size=3),
            "const": _SCALARS,
            "minimum": st.integers(-2, 5),
            "exclusiveMaximum": st.integers(0, 9),
            "multipleOf": st.sampled_from([1, 2, 3, 0.5]),
            "minLength": small,
            "maxLength": small,
            "pattern": st.sampled_from(["^a", "b$", "[0-9]", "^(a|b)+$"]),
            "minItems": small,
            "maxItems": small,
            "uniqueItems": st.booleans(),
            "prefixItems": schemas,
            "items": inner,
            "contains": inner,
            "minContains": small,
            "maxContains": small,
            "required": st.lists(_NAMES, max_size=2, unique=True),
            "minProperties": small,
            "properties": st.dictionaries(_NAMES, inner, max_size=3),
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b"]), inner, max_size=2),
            "additionalProperties": inner,
            "propertyNames": inner,
            "dependentRequired": st.dictionaries(_NAMES, st.lists(_NAMES, max_size=2, unique=True), max_size=2),
            "allOf": schemas,
            "anyOf": schemas,
            "oneOf": schemas,
            "not": inner,
            "if": inner,
            "then": inner,
            "else": inner,
            "unevaluatedProperties": inner,
            "unevaluatedItems": inner,
            "$ref": st.just("#/$defs/d"),
        },
    )


_SCHEMAS = st.recursive(st.one_of(st.booleans(), _keywords(st.booleans())), _keywords, max_leaves=6)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(_keywords(_SCHEMAS), _keywords(st.booleans()), _VALUES)
def test_both_find_the_same_values_wrong(schema: dict[str, Any], other: dict[str, Any], value: Any) -> None:
    other.pop("$ref", None)
    whole = {**schema, "$defs": {"d": other}}
    reference: Any = jsonschema.Draft202012Validator(whole)
    assert bool(schema_problems(whole, value)) == (not reference.is_valid(value))
