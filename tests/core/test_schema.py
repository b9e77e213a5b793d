"""JSON Schema, in plain words and within bounds."""

from __future__ import annotations

import re
from typing import Any

import jsonschema
import pytest

from gleitzeit.core.document import read
from gleitzeit.core.errors import ValidationError
from gleitzeit.core.schema import check_parameters, check_schema, is_trivial, misfits, schema_problems, workflow_schema

CHAT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "model": {"type": "string"},
        "temperature": {"type": "number", "minimum": 0, "maximum": 1},
        "messages": {
            "type": "array",
            "minItems": 1,
            "items": {"type": "object", "properties": {"content": {"type": "string"}}, "required": ["content"]},
        },
        "format": {"anyOf": [{"type": "string"}, {"type": "object"}]},
        "mode": {"enum": ["fast", "good"]},
    },
    "required": ["model", "messages"],
    "additionalProperties": False,
}


def test_what_fits_passes() -> None:
    check_parameters("llm/chat", CHAT, {"model": "x", "messages": [{"content": "hi"}], "temperature": 1, "format": {}})


def test_everything_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValidationError) as caught:
        check_parameters(
            "llm/chat",
            CHAT,
            {"mesages": [], "temperature": 2, "messages": [{"content": 3}, {}], "mode": "god", "format": 1},
        )
    told = f"{caught.value.message} {caught.value.hint}"
    for words in (
        "llm/chat: ",
        "mesages: is not known",
        'did you mean "messages"?',
        "model: is missing",
        "temperature: must be at most 1",
        "messages[0].content: must be text, not a whole number",
        "messages[1].content: is missing",
        'mode: must be one of "fast", "good"',
        'did you mean "good"?',
        "format: fits none of the alternatives",
    ):
        assert words in told
    assert {problem["path"] for problem in caught.value.details["problems"]} >= {"model", "messages[0].content"}


def test_alternatives_that_require_a_field_each_are_told_by_its_name() -> None:
    either = [{"required": ["script"]}, {"required": ["code"]}]
    for keyword in ("oneOf", "anyOf"):
        assert [misfit.message for misfit in misfits({keyword: either}, {})] == ["must have script or code"]
        assert misfits({keyword: either}, {"code": 1}) == []
    both = {"script": 1, "code": 1}
    assert misfits({"anyOf": either}, both) == []
    assert [misfit.message for misfit in misfits({"oneOf": either}, both)] == ["must have only one of script and code"]


def test_values_do_not_show_in_errors() -> None:
    schema = {"type": "object", "properties": {"password": {"type": "string", "maxLength": 3, "pattern": "^a"}}}
    with pytest.raises(ValidationError) as caught:
        check_parameters("login", schema, {"password": "s3cret-value"})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("schema", [{}, {"type": "object"}, {"type": "object", "description": "anything"}])
def test_trivial_schemas_take_anything(schema: dict[str, Any]) -> None:
    assert is_trivial(schema)
    check_parameters("x", schema, {"any": object()})


def test_true_is_no_number() -> None:
    assert schema_problems({"type": "integer"}, True)
    assert schema_problems({"enum": [1]}, True)
    assert not schema_problems({"type": "integer"}, 3.0)


def test_nothing_remote_is_fetched() -> None:
    schema = {"type": "object", "properties": {"x": {"$ref": "http://localhost:9/schema.json"}}}
    assert schema_problems(schema, {"x": 1}) == []
    assert "nothing is fetched" in check_schema(schema)[0][1]


def test_what_is_no_schema_is_told() -> None:
    assert check_schema({"type": "object", "properties": {"x": {"$ref": "#/$defs/y"}}, "$defs": {"y": {}}}) == []
    assert 'did you mean "string"?' in check_schema({"type": "strng"})[0][1]
    assert check_schema({"properties": {"x": 3}})[0][0] == "properties.x"
    assert check_schema("string")


def test_loose_schemas_of_foreign_servers_are_borne() -> None:
    assert schema_problems({"type": "any", "properties": {"x": {"required": True}}}, {"x": 1}) == []


def test_the_schema_of_documents_is_a_schema_and_fits_them() -> None:
    schema = workflow_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$id"]
    assert all("description" in item for item in schema["properties"].values())
    assert all("description" in item for item in schema["$defs"]["Task"]["properties"].values())
    text = "tasks:\n- {id: a, method: llm/chat, retry: 3, timeout: 5m}\ninputs: {x: string}\n"
    jsonschema.validate(read(text).require().canonical(), schema)
    wrong: dict[str, Any] = {"tasks": [{"id": "a", "method": "b", "paramters": {}}]}
    with pytest.raises(jsonschema.ValidationError, match=re.escape("'paramters'")):
        jsonschema.validate(wrong, schema)


def test_what_is_written_in_place_of_a_missing_field_is_named() -> None:
    schema = {"type": "object", "properties": {"timezone": {"type": "string"}}, "required": ["timezone"]}
    (misfit,) = misfits(schema, {"timezon": "Asia/Tokyo"})
    assert misfit.hint == '"timezon" is written: did you mean "timezone"?'
    (other,) = misfits(schema, {"colour": "red"})
    assert other.hint == 'write timezone: "text"'
    strict = misfits({**schema, "additionalProperties": False}, {"timezon": "Asia/Tokyo"})
    assert sum("did you mean" in str(misfit.hint) for misfit in strict) == 1
