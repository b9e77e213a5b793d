"""What is accepted at a glance fits: nothing that a look in full would find is passed over."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from gleitzeit.core.data import is_object
from gleitzeit.core.schema import LastingSchema, misfits
from gleitzeit.core.schema.acceptance import IN_FULL
from gleitzeit.core.schema.acceptance import LIMITS as LIMITS_KNOWN
from gleitzeit.core.schema.budget import Budget
from gleitzeit.core.schema.keywords import CHECKS
from gleitzeit.core.schema.validators import APPLIED, Application

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from(["", "a", "bb", "ccc"])
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
TYPES = st.sampled_from(["string", "integer", "number", "boolean", "array", "object", "null", "other"])
LIMITS = """minimum maximum exclusiveMinimum exclusiveMaximum
minLength maxLength minItems maxItems minProperties maxProperties""".split()


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


NOTHING: dict[str, Any] = {}
LEAVES: st.SearchStrategy[Any] = st.booleans() | st.just(NOTHING)
SCHEMAS: st.SearchStrategy[Any] = st.recursive(LEAVES, schemas, max_leaves=6).filter(is_object)


@given(SCHEMAS, VALUES)
def test_what_is_accepted_has_no_misfits(schema: dict[str, Any], value: Any) -> None:
    accepted = LastingSchema(schema).accepts(value)
    event("accepted" if accepted else "looked at in full")
    if accepted:
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
    assert LastingSchema(schema).accepts(value)


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"items": {"type": "integer"}}, [1] * 5_000),
        ({"additionalProperties": False}, dict.fromkeys(map(str, range(5_000)), 1)),
        ({"additionalProperties": {"type": "integer"}}, dict.fromkeys(map(str, range(5_000)), 1)),
        ({"items": {"anyOf": [{"anyOf": [{"type": "integer"}] * 3}] * 3}}, [1]),
        ({"properties": {str(number): {"type": "integer"} for number in range(300)}}, {}),
    ],
)
def test_what_is_much_work_is_left_to_who_counts_it(schema: dict[str, Any], value: Any) -> None:
    assert not LastingSchema(schema).accepts(value)


def test_a_lasting_schema_is_a_schema_as_any_other() -> None:
    plain = {"type": "object", "properties": {"n": {"type": "integer"}}, "additionalProperties": False}
    lasting = LastingSchema(plain)
    assert lasting == plain
    assert json.dumps(lasting) == json.dumps(plain)
    for value in ({"n": 1}, {"n": "1"}, {"m": 1}, 3):
        assert misfits(lasting, value) == misfits(plain, value)


def test_who_asks_from_far_down_costs_nobody_the_glance() -> None:
    schema: dict[str, Any] = {"type": "integer"}
    value: Any = 1
    for _ in range(60):
        schema, value = {"items": schema}, [value]
    lasting = LastingSchema(schema)
    assert not deeper(sys.getrecursionlimit() - 150, lambda: lasting.accepts(value))
    assert lasting.accepts(value)


def deeper(calls: int, then: Callable[[], bool]) -> bool:
    if calls:
        return deeper(calls - 1, then)
    try:
        return then()
    except RecursionError:
        return False


def test_every_keyword_that_is_looked_at_in_full_is_known_here() -> None:
    here = {"type", "required", "properties", "additionalProperties", "items", "anyOf", "allOf", "enum"}
    assert here | LIMITS_KNOWN.keys() | IN_FULL == CHECKS.keys() | APPLIED.keys()
