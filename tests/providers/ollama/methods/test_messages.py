from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import ValidationError
from gleitzeit_ollama.methods.messages import wire_messages

PNG = "iVBORw0KGgo="


def sent(*messages: dict[str, Any]) -> list[dict[str, Any]]:
    return wire_messages("llm/chat", messages)


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("text", "text"),
        ("", ""),
        (["a", 1], '["a",1]'),
        ({"ü": None}, '{"ü":null}'),
        (3, "3"),
        (False, "false"),
        ([], "[]"),
        ([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "ab"),
        ([{"type": "text", "text": "a"}, {"type": "row"}], '[{"type":"text","text":"a"},{"type":"row"}]'),
    ],
)
def test_content_of_any_kind_becomes_text(content: Any, text: str) -> None:
    assert sent({"content": content}) == [{"role": "user", "content": text}]


def test_a_text_alone_is_a_message_of_the_user() -> None:
    assert wire_messages("llm/chat", "hi") == [{"role": "user", "content": "hi"}]


def test_an_answer_can_be_sent_back_as_a_message() -> None:
    call: dict[str, Any] = {"function": {"name": "f", "arguments": {}}}
    said = {"role": "assistant", "content": "", "thinking": "hm", "tool_calls": [call]}
    found = {"role": "tool", "content": {"found": 1}, "tool_name": "f", "tool_call_id": "1"}
    assert sent({"content": "hi"}, said, found)[1:] == [said, {**found, "content": '{"found":1}'}]


def test_a_message_may_be_nothing_but_tool_calls() -> None:
    call: dict[str, Any] = {"function": {"name": "f", "arguments": {}}}
    assert sent({"role": "assistant", "content": None, "tool_calls": [call]})[0]["content"] == ""


def test_images_of_a_message_are_passed_on_as_a_list() -> None:
    assert sent({"content": "look", "images": PNG}) == [{"role": "user", "content": "look", "images": [PNG]}]
    assert sent({"images": [PNG]}) == [{"role": "user", "content": "", "images": [PNG]}]


def test_images_in_parts_belong_to_their_message() -> None:
    parts = [
        {"type": "text", "text": "a"},
        {"type": "image_url", "image_url": {"url": PNG}},
        {"type": "input_image", "image_url": PNG},
        {"type": "image", "data": PNG, "mimeType": "image/png"},
        {"type": "input_text", "text": "b"},
    ]
    assert sent({"content": parts}) == [{"role": "user", "content": "ab", "images": [PNG] * 3}]


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ({"role": "user"}, "messages[0].content is missing"),
        ({"content": None}, "messages[0].content is null"),
        ({"content": [{"type": "text"}]}, "messages[0].content[0] has no text"),
        ({"content": [{"type": "image_url"}]}, "messages[0].content[0] has no image"),
    ],
)
def test_a_message_that_says_nothing_is_named(message: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError) as caught:
        sent(message)
    assert caught.value.message == f"llm/chat: {words}"
