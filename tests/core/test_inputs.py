"""Declared inputs: defaults, types, and text from a command line."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.document import read
from gleitzeit.core.errors import ValidationError
from gleitzeit.core.inputs import bind_inputs, coerce_text
from gleitzeit.core.models import Workflow


def workflow(inputs: Any) -> Workflow:
    return read({"inputs": inputs, "tasks": [{"id": "a", "method": "a/b"}]}).require()


def test_defaults_are_filled_in() -> None:
    declared = workflow(
        {
            "topic": {"type": "string", "default": "tides"},
            "count": "integer",
            "free": {},
            "note": {"type": "string", "required": False},
        }
    )
    assert bind_inputs(declared, {"count": 3, "free": [1]}) == {"topic": "tides", "count": 3, "free": [1], "note": None}


def test_everything_wrong_is_named_at_once() -> None:
    declared = workflow(
        {"topic": "string", "count": {"type": "integer", "minimum": 1}, "mode": {"enum": ["deep", "flat"]}}
    )
    with pytest.raises(ValidationError) as caught:
        bind_inputs(declared, {"topc": "x", "count": 0, "mode": "dep"})
    told = f"{caught.value.message} {caught.value.hint}"
    for words in (
        "topc",
        'did you mean "topic"?',
        "topic: is missing",
        "count: must be at least 1",
        'one of "deep", "flat"',
    ):
        assert words in told


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "string"}, "3", "3"),
        ({"type": "integer"}, "3", 3),
        ({"type": "number"}, "2.5", 2.5),
        ({"type": "boolean"}, "yes", True),
        ({"type": "boolean"}, "false", False),
        ({"type": "array"}, "[1, 2]", [1, 2]),
        ({"type": "object"}, '{"a": 1}', {"a": 1}),
        ({"type": ["integer", "null"]}, "null", None),
        ({}, "[1]", [1]),
        ({}, "plain words", "plain words"),
        ({}, "NaN", "NaN"),
    ],
)
def test_text_becomes_the_declared_type(schema: dict[str, Any], text: str, value: Any) -> None:
    assert coerce_text(schema, text) == value
    assert type(coerce_text(schema, text)) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "wanted"),
    [
        ("integer", "2.5", "a whole number"),
        ("integer", "x", "a whole number"),
        ("boolean", "maybe", "true or false"),
        ("array", "{}", "a list"),
        ("number", "NaN", "a number"),
    ],
)
def test_text_that_is_not_of_the_type_is_refused(kind: str, text: str, wanted: str) -> None:
    with pytest.raises(ValidationError, match=f"must be {wanted}, not"):
        coerce_text({"type": kind}, text)


def test_what_is_wrong_comes_with_what_to_write() -> None:
    declared = workflow({"count": {"type": "integer", "description": "how many"}, "size": "number"})
    with pytest.raises(ValidationError) as caught:
        bind_inputs(declared, {"size": "big"})
    hint = caught.value.hint or ""
    assert "inputs: {count: 1}" in hint
    assert "-i count=1" in hint
    assert "how many" in hint
    assert "such as 0.5" in hint


def test_a_large_input_is_checked_to_its_end() -> None:
    item = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    declared = workflow({"items": {"type": "array", "items": item}})
    items: list[dict[str, object]] = [{"n": number} for number in range(20_000)]
    assert bind_inputs(declared, {"items": items}) == {"items": items}
    items[-1] = {"n": "one"}
    with pytest.raises(ValidationError, match=r"items\[19999\]\.n"):
        bind_inputs(declared, {"items": items})
