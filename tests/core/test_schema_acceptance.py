"""What is accepted at a glance fits: nothing that a look in full would find is passed over."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.core.schema.acceptance import plainly_fits
from gleitzeit.core.schema.budget import Budget
from gleitzeit.core.schema.validators import Application

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from(["", "a", "bb", "ccc"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null", "other"])
LIMITS = "minimum maximum exclusiveMinimum exclusiveMaximum minLength maxLength minItems maxItems minProperties".split()


def schemas(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    several = st.lists(inner, max_size=3)
    optional: dict[str, st.SearchStrategy[Any]] = {
        "type": TYPES | st.lists(TYPES, max_size=3),
        "required": st.lists(NAMES, max_size=2),
        "properties": st.dictionaries(NAMES, inner, max_size=3),
        "additionalProperties": inner,
        "patternProperties": st.dictionaries(NAMES, inner, max_size=1),
        "items": inner,
        "anyOf": several,
        "allOf": several,
        "oneOf": several,
        "not": inner,
        "enum": st.lists(SCALARS, max_size=3),
        "const": SCALARS,
        "title": st.just("x"),
        "$id": st.just("https://example.org/x"),
        **{name: st.integers(-1, 3) | st.booleans() | st.floats(0, 2) for name in LIMITS},
    }
    return st.fixed_dictionaries({}, optional=optional)


SCHEMAS = st.recursive(st.booleans() | st.just({}), schemas, max_leaves=6).filter(lambda schema: isinstance(schema, dict))


def looked_at(schema: dict[str, Any], value: Any) -> bool:
    """What is said at the second sight, from which on there are functions."""
    plainly_fits(schema, value)
    return plainly_fits(schema, value)


@given(SCHEMAS, VALUES)
def test_what_is_accepted_has_no_misfits(schema: dict[str, Any], value: Any) -> None:
    if looked_at(schema, value):
        assert list(Application(schema, Budget()).misfits(schema, value, ())) == []


PLAIN: list[tuple[dict[str, Any], Any]] = [
    ({"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}, {"text": "a"}),
    ({"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}}, {"n": 1, "other": []}),
    ({"properties": {}, "additionalProperties": False}, {}),
    ({"additionalProperties": {"type": "number"}}, {"a": 1, "b": 2.5}),
    ({"items": {"type": ["string", "null"]}, "maxItems": 3}, ["a", None]),
    ({"anyOf": [{"type": "integer"}, {"type": "null"}], "default": None}, None),
    ({"enum": ["a", "b"]}, "b"),
]


@pytest.mark.parametrize(("schema", "value"), PLAIN)
def test_what_most_schemas_ask_for_is_seen_at_a_glance(schema: dict[str, Any], value: Any) -> None:
    assert looked_at(schema, value)


def test_a_schema_that_is_seen_once_gets_no_functions() -> None:
    schema = {"type": "string"}
    assert not plainly_fits(schema, "a")
    assert plainly_fits(schema, "a")


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"type": "integer"}}, [1] * 5_000),
        ({"additionalProperties": {"type": "integer"}}, dict.fromkeys(map(str, range(5_000)), 1)),
        ({"items": {"anyOf": [{"anyOf": [{"type": "integer"}] * 3}] * 3}}, [1]),
        ({"properties": {str(number): {"type": "integer"} for number in range(300)}}, {}),
    ],
)
def test_what_is_much_work_is_left_to_who_counts_it(schema: dict[str, Any], value: Any) -> None:
    assert not looked_at(schema, value)


def test_another_schema_with_the_same_place_in_memory_has_functions_of_its_own() -> None:
    for number in range(2_000):
        schema = {"enum": [str(number)]}
        assert looked_at(schema, str(number))
        assert not looked_at(schema, "other")
