"""Which schemas of questions a host can show as a form."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.forms import form_of

TITLED = [{"const": "c", "title": "Cat"}, {"const": "d", "title": "Dog"}]


def asked(field: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"x": field}, **more}


@pytest.mark.parametrize(
    "field",
    [
        {"type": "string", "title": "X", "description": "...", "default": "a", "minLength": 1, "maxLength": 9},
        {"type": "string", "format": "email"},
        {"type": "string", "enum": ["a", "b"], "enumNames": ["A", "B"]},
        {"type": "integer", "minimum": 0, "maximum": 9},
        {"type": "number", "default": 0.5},
        {"type": "boolean"},
    ],
)
def test_plain_values_make_a_form_for_every_host(field: Any) -> None:
    schema = asked(field, required=["x"])
    told = {**schema, "$schema": "https://json-schema.org/draft/2020-12/schema", "additionalProperties": False}
    assert form_of(told, choices=False) == schema


def test_one_of_several_texts_is_text_without_saying_so() -> None:
    told = {"enum": ["red", "blue"], "title": "Colour"}
    assert form_of(asked(told), choices=False) == asked({"type": "string", **told})
    assert form_of(asked({"enum": ["red", 1]})) is None


@pytest.mark.parametrize(
    "field",
    [
        {"type": "string", "oneOf": TITLED},
        {"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "minItems": 1},
        {"type": "array", "items": {"anyOf": TITLED}},
    ],
)
def test_choices_make_a_form_for_hosts_that_know_them(field: Any) -> None:
    assert form_of(asked(field)) == asked(field)
    assert form_of(asked(field), choices=False) is None


@pytest.mark.parametrize(
    "schema",
    [
        asked({"type": "object", "properties": {}}),
        asked({"type": "array", "items": {"type": "string"}}),
        asked({"type": "array"}),
        asked({"type": ["string", "null"]}),
        asked({"type": "string", "pattern": "a+"}),
        asked({"type": "string", "format": "uuid"}),
        asked({"type": "string", "enum": [1, 2]}),
        asked({"type": "string", "oneOf": [{"const": 1, "title": "One"}]}),
        asked({}),
        asked(True),
        asked({"type": "string"}, required=["y"]),
        asked({"type": "string"}, minProperties=1),
        asked({"type": "string"}, additionalProperties={"type": "string"}),
        {"type": "string"},
    ],
)
def test_whatever_asks_for_more_is_no_form(schema: Any) -> None:
    assert form_of(schema) is None
