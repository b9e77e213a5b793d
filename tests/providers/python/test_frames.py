"""Frames of a worker, which anybody may have written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleitzeit_python.broker.frames import FrameError, FrameReader, framed
from gleitzeit_python.broker.messages import Ask, Call, End, Piece, Progress, Sent, read

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
messages = st.one_of(
    st.fixed_dictionaries({}, optional={"id": json_values, "call": json_values, "parameters": json_values}),
    st.fixed_dictionaries({"end": json_values}),
    st.fixed_dictionaries({"artifact": json_values, "data": json_values, "last": json_values}),
    st.fixed_dictionaries({"progress": json_values}),
    st.fixed_dictionaries({"ask": json_values}, optional={"id": json_values, "schema": json_values}),
    json_values,
)
lines = st.binary(max_size=200) | messages.map(lambda value: json.dumps(value).encode() + b"\n")


def sent(chunks: list[bytes], largest: int = 1000) -> list[Sent]:
    reader, found = FrameReader(largest), list[Sent]()
    for chunk in chunks:
        reader.feed(chunk)
        while (frame := reader.next()) is not None:
            found.append(read(frame))
    return found


@given(st.lists(lines, max_size=20))
def test_whatever_comes_is_a_message_or_refused(chunks: list[bytes]) -> None:
    try:
        found = sent(chunks)
    except FrameError:
        return
    assert all(isinstance(message, Call | Ask | Progress | Piece | End) for message in found)
    for message in found:
        json.dumps(getattr(message, "parameters", None), allow_nan=False)


@given(st.lists(st.dictionaries(st.text(), st.integers() | st.text(), max_size=3), max_size=8), st.data())
def test_frames_come_out_as_they_went_in_however_they_are_cut(frames: list[dict[str, Any]], data: Any) -> None:
    stream = b"".join(framed(frame) for frame in frames)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    reader, found = FrameReader(), list[dict[str, Any]]()
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        reader.feed(stream[begin:end])
        while (frame := reader.next()) is not None:
            found.append(frame)
    expected = [json.loads(framed(frame).decode().encode("utf-8", "replace")) for frame in frames]
    assert [json.dumps(frame) for frame in found] == [
        json.dumps(json.loads(json.dumps(frame, ensure_ascii=False).encode("utf-8", "replace"))) for frame in expected
    ]


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe",
        b"garbage",
        b"[1]",
        b'{"end": {"ok": true, "value": NaN}}',
        b'{"x": ' + b"[" * 100_000 + b"}",
        b'{"x": ' + b"9" * 10_000 + b"}",
        b'{"id": -1, "call": "a/b", "parameters": {}}',
        b'{"id": true, "call": "a/b", "parameters": {}}',
        b'{"id": 1, "call": "", "parameters": {}}',
        b'{"id": 1, "call": "a/b", "parameters": []}',
        b'{"end": 1}',
        b'{"end": {"exit": 1e5}}',
        b'{"progress": {"done": "x"}}',
        b'{"progress": {"done": 1e999}}',
        b'{"artifact": "../x", "data": ""}',
        b'{"artifact": "/etc/passwd", "data": ""}',
        b'{"artifact": "x", "data": "???"}',
        b'{"artifact": "a\\u0000b", "data": ""}',
        b"{}",
    ],
)
def test_a_forged_frame_is_refused(line: bytes) -> None:
    with pytest.raises(FrameError):
        sent([line + b"\n"], 1 << 20)


def test_a_frame_without_an_end_is_refused_once_it_is_too_large() -> None:
    reader = FrameReader(100)
    reader.feed(b"x" * 100)
    assert reader.next() is None
    with pytest.raises(FrameError, match="more than 100 bytes"):
        reader.feed(b"x")


def test_half_of_a_character_is_replaced() -> None:
    (end,) = sent([b'{"end": {"ok": true, "value": "\\ud800"}}\n'])
    assert isinstance(end, End)
    assert end.value == "?"
