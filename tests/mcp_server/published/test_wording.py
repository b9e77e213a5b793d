"""What strangers say of themselves reaches a model bounded, and without what a person would not see."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.mcp_server.published.wording import cleaned, one_line, shortened, shown_schema
from gleitzeit.mcp_server.rendering.answer import compact


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("two\r\nlines\n", "two\nlines"),
        ("tab\tand\u00a0space", "tab and space"),
        ("\x1b[31mred\x1b[0m\x07", "[31mred[0m"),
        ("\u202egnp.exe\u202c", "gnp.exe"),
        ("in\u200bvis\u2060ible\ufeff", "invisible"),
        ("a\U000e0049\U000e0067\U000e006e", "a"),
        ("a\ufe0f\U000e0101", "a"),
        ("half \ud800 of one", "half  of one"),
        ("äöü 漢字 🙂", "äöü 漢字 🙂"),
    ],
)
def test_what_nobody_sees_is_taken_out(text: str, shown: str) -> None:
    assert cleaned(text) == shown


def test_a_title_is_one_short_line() -> None:
    assert one_line("a\nb\u2028c  d") == "a b c d"
    assert len(one_line("ü" * 500).encode()) <= 200


def test_a_text_that_is_cut_says_so_and_stays_text() -> None:
    assert shortened("ü" * 10, 20) == "ü" * 10
    assert shortened("ü" * 11, 20) == "ü" * 8 + "…"
    assert len(shortened("ü" * 11, 20).encode()) <= 20


def test_the_words_of_a_schema_are_cleaned_and_its_names_and_data_stay() -> None:
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {
            "description": {"type": "string", "description": "hid\u200bden", "default": "\u200b"},
            "list": {"type": "array", "items": {"anyOf": [{"title": "a\x00b"}, {"type": "null"}]}},
        },
        "required": ["description"],
    }
    assert shown_schema(schema) == {
        "type": "object",
        "properties": {
            "description": {"type": "string", "description": "hidden", "default": "\u200b"},
            "list": {"type": "array", "items": {"anyOf": [{"title": "ab"}, {"type": "null"}]}},
        },
        "required": ["description"],
    }


def test_choices_at_the_top_are_left_out_for_hosts_refuse_them() -> None:
    schema = {"anyOf": [{"required": ["a"]}], "properties": {"a": {"oneOf": [{"type": "null"}]}}}
    assert shown_schema(schema) == {"type": "object", "properties": {"a": {"oneOf": [{"type": "null"}]}}}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return {"properties": {"a": schema}}


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"größe": {}}},
        {"properties": {"x" * 65: {}}},
        {"properties": {"a": {"enum": ["x" * 20_000]}}},
        {"properties": {"a": 5}},
        {"required": "a"},
        {"properties": {"a": {"type": "anything"}}},
        {"properties": {"a": {"$ref": "https://example.org/schema"}}},
    ],
    ids=["letters", "long", "large", "number", "text", "type", "elsewhere"],
)
def test_a_schema_that_a_host_would_refuse_is_not_shown(schema: dict[str, Any]) -> None:
    assert shown_schema(schema) is None


def test_what_would_be_refused_inside_is_left_open() -> None:
    inner: dict[str, Any] = {
        "type": "object",
        "properties": {"x y": {}},
        "required": ["x y"],
        "additionalProperties": False,
    }
    schema: dict[str, Any] = {"properties": {"a": inner, "b": {"items": inner}}}
    left = {"type": "object"}
    assert shown_schema(schema) == {"type": "object", "properties": {"a": left, "b": {"items": left}}}
    assert compact(shown_schema(nested(2_000))).count("items") < 40
    assert shown_schema(nested(5)) == {"type": "object", **nested(5)}


def test_what_is_no_schema_or_no_text_to_a_host_is_left_out() -> None:
    schema: dict[str, Any] = {
        "$schema": 5,
        "properties": {"a": True, "b": {"description": ["x"], "format": "\u202eda\u200bte"}},
        "no\u200bte": "x",
    }
    assert shown_schema(schema) == {"type": "object", "properties": {"a": {}, "b": {"format": "date"}}}


def test_no_parameter_is_to_be_sent_as_a_header_too() -> None:
    region = {"type": "string", "x-mcp-header": "Region"}
    schema: dict[str, Any] = {"properties": {"region": region, "x-mcp-header": {"type": "string"}}}
    kept: dict[str, Any] = {"region": {"type": "string"}, "x-mcp-header": {"type": "string"}}
    assert shown_schema(schema) == {"type": "object", "properties": kept}
