from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gleitzeit.core.errors import LimitError
from gleitzeit_ollama.wire.foreign_json import json_object, json_value
from gleitzeit_ollama.wire.lines import LineBuffer


@settings(deadline=None)
@given(st.lists(st.text()), st.data())
def test_lines_are_the_same_wherever_the_bytes_are_cut(texts: list[str], data: st.DataObject) -> None:
    sent = b"".join(
        json.dumps({"text": text}, ensure_ascii=False).encode() + b"\n" for text in texts if text.isprintable()
    )
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)))))
    buffer = LineBuffer()
    got = [
        line for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True) for line in buffer.feed(sent[start:end])
    ]
    assert [json.loads(line)["text"] for line in got] == [text for text in texts if text.isprintable()]
    assert buffer.rest() == b""


def test_blank_lines_and_carriage_returns_are_no_lines() -> None:
    assert LineBuffer().feed(b'\n\r\n{"a":1}\r\n\n') == [b'{"a":1}\r']


def test_what_follows_the_last_end_of_a_line_is_the_rest() -> None:
    buffer = LineBuffer()
    assert buffer.feed(b'{"a":1}\n{"b"') == [b'{"a":1}']
    assert buffer.rest() == b'{"b"'
    assert buffer.rest() == b""


def test_a_line_without_end_is_refused_before_it_fills_memory() -> None:
    buffer = LineBuffer(limit=100)
    buffer.feed(b"x" * 100)
    with pytest.raises(LimitError, match="more than 100 bytes"):
        buffer.feed(b"x")


def test_lines_up_to_the_limit_do_not_add_up() -> None:
    buffer = LineBuffer(limit=10)
    assert len(buffer.feed(b"123456789\n" * 50)) == 50


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"<html>",
        b"[1]",
        b"null",
        b'{"a": NaN}',
        b'{"a": 1e999}',
        b'{"a": -1e999}',
        b'{"a":',
        b"[" * 100_000,
        b'{"a":' * 101 + b"1" + b"}" * 101,
        b"\xff\xfe",
    ],
)
def test_what_is_no_json_object_is_nothing(text: bytes) -> None:
    assert json_object(text) is None


def test_what_is_wide_is_not_deep() -> None:
    value = {"models": [{"name": str(number), "details": {"families": ["a"]}} for number in range(1000)]}
    assert json_object(json.dumps(value).encode()) == value
    assert json_object(b'{"a":' * 99 + b"1" + b"}" * 99) is not None


def test_half_a_surrogate_pair_becomes_text_that_can_be_sent_on() -> None:
    value = json_value(rb'{"content": "a\ud83d"}')
    assert value["content"].encode("utf-8") == b"a?"


def test_a_whole_surrogate_pair_stays_what_it_is() -> None:
    assert json_value(rb'"\ud83d\ude00"') == "😀"
