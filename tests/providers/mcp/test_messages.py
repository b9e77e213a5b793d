"""Lines as messages: what cannot be read ends the request that it answers, and what is no message is junk."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from gleitzeit.core.errors import GleitzeitError, LimitError, ProviderError
from gleitzeit_mcp.transports.base import RequestId
from gleitzeit_mcp.transports.lines import Overlong
from gleitzeit_mcp.transports.messages import deliver, encoded, give_up

DEEP = b"[" * 5_000 + b"]" * 5_000
LONGEST = 64 * 2**20


class Recorder:
    """Takes in what a line becomes."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.failures: dict[RequestId, GleitzeitError] = {}

    def received(self, message: dict[str, Any]) -> None:
        self.messages.append(message)

    def failed(self, request_id: RequestId, error: GleitzeitError) -> None:
        self.failures[request_id] = error

    def ended(self) -> None:
        raise AssertionError("a line does not end a connection")


def read(line: bytes) -> Recorder:
    recorder = Recorder()
    assert deliver(line, recorder)
    return recorder


def overlong(start: bytes, end: bytes) -> Overlong:
    return Overlong(start + b"x" * 4_096, b"x" * 4_000 + end, 100 * 2**20)


def test_half_of_a_surrogate_pair_is_replaced() -> None:
    (message,) = read(rb'{"jsonrpc": "2.0", "id": 3, "result": {"text": "a\ud83d"}}').messages
    assert (message["id"], message["result"]) == (3, {"text": "a?"})


def test_a_whole_surrogate_pair_is_one_character() -> None:
    (message,) = read(rb'{"jsonrpc": "2.0", "id": 3, "result": {"text": "\ud83d\udd11"}}').messages
    assert message["result"] == {"text": "\U0001f511"}


def test_bytes_that_are_no_utf_8_are_replaced() -> None:
    (message,) = read(b'{"jsonrpc": "2.0", "id": 3, "result": {"text": "\xff"}}').messages
    assert message["result"] == {"text": "\ufffd"}


@pytest.mark.parametrize("text", ['{"a": 1}', '[{"a": 1}, 5, {"a": 1}]'])
def test_objects_come_alone_or_several_at_once(text: str) -> None:
    assert {str(message) for message in read(text.encode()).messages} == {"{'a': 1}"}


@pytest.mark.parametrize(
    ("line", "answered"),
    [
        (b'{"jsonrpc": "2.0", "id": 3, "result": {"id": 9, "a": ' + DEEP + b"}}", 3),
        (b'{"jsonrpc": "2.0", "result": {"id": 9, "a": ' + DEEP + b'}, "id" : "x\\"y"}', 'x"y'),
        (b'{"jsonrpc": "2.0", "id": 6, "result": {"cut', 6),
        (b'{"jsonrpc": "2.0", "id": 7, "error": {"code": ' + b"9" * 5_000 + b"}}", 7),
    ],
)
def test_an_answer_that_cannot_be_read_ends_its_request(line: bytes, answered: RequestId) -> None:
    recorder = read(line)
    assert recorder.messages == []
    (error,) = recorder.failures.values()
    assert list(recorder.failures) == [answered]
    assert isinstance(error, ProviderError)
    assert "cannot be read" in error.message
    assert not error.retryable


@pytest.mark.parametrize(
    "line",
    [
        b"Starting server ...",
        b'{"id": 1, "text": "no answer"',
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "result": ' + DEEP + b"}",
        b'{"jsonrpc": "2.0", "id": null, "result": ' + DEEP + b"}",
        b'["id", 3, "result"]',
        b"[]",
        b"17",
        b"\xff\xfe",
    ],
)
def test_what_is_no_message_is_junk(line: bytes) -> None:
    recorder = Recorder()
    assert not deliver(line, recorder)
    assert recorder.messages == []
    assert recorder.failures == {}


@pytest.mark.parametrize(
    "line", [b'{"a": ' + b"[" * 30_000_000, b'{"id": 1, "result": "' + b'\\"' * 20_000, b'"' * 40_001 + b"{"]
)
def test_a_long_line_that_cannot_be_read_holds_up_nobody(line: bytes) -> None:
    started = time.process_time()
    deliver(line, Recorder())
    assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("line", "answered"),
    [
        (overlong(b'{"jsonrpc": "2.0", "id": 3, "result": {"text": "', b'"}}'), 3),
        (overlong(b'{"id": "a", "error": {"id": 9, "text": "', b'"}}'), "a"),
        (overlong(b'{"jsonrpc": "2.0", "result": {"text": "', b'"}, "id": 4}'), 4),
        (overlong(b'{"result": {"text": "', b'"}, "id": "b", "jsonrpc": "2.0"}  '), "b"),
    ],
)
def test_a_line_over_the_limit_ends_the_request_that_it_answers(line: Overlong, answered: RequestId) -> None:
    recorder = Recorder()
    assert give_up(line, recorder, LONGEST)
    (error,) = recorder.failures.values()
    assert list(recorder.failures) == [answered]
    assert isinstance(error, LimitError)
    assert "100 MiB" in error.message
    assert "64 MiB" in error.message


@pytest.mark.parametrize(
    "line",
    [
        overlong(b'{"jsonrpc": "2.0", "result": {"text": "', b'"}}'),
        overlong(b'{"jsonrpc": "2.0", "id": 3, "method": "x", "params": {"text": "', b'"}}'),
        overlong(b"noise", b"noise"),
        overlong(b'{"jsonrpc": "2.0", "id": 3', b"}"),
    ],
)
def test_of_a_line_over_the_limit_that_answers_nobody_nobody_is_told(line: Overlong) -> None:
    recorder = Recorder()
    assert not give_up(line, recorder, LONGEST)
    assert recorder.failures == {}


def test_a_message_that_was_read_can_always_be_written() -> None:
    line = rb'{"id": 1, "result": {"a": NaN, "b": 1e999, "c": "\udc00", "d": 123456789012345678901234567890}}'
    recorder = Recorder()
    if deliver(line, recorder) and recorder.messages:
        json.dumps(recorder.messages, ensure_ascii=False).encode()


def test_a_message_is_sent_whatever_stands_in_it() -> None:
    halved = encoded({"jsonrpc": "2.0", "method": "x", "params": {"a": "é\ud800"}})
    assert json.loads(halved)["params"] == {"a": "é?"}
    deep: Any = 1
    for _ in range(400):
        deep = [deep]
    assert json.loads(encoded({"method": "x", "params": {"a": deep}}))["params"]["a"] == deep
    assert b"\n" not in encoded({"params": {"a": "line\nline", "b": float("nan"), "c": 2**70}})
