from __future__ import annotations

import json
import time

import pytest
from mcp_types import JSONRPCError, JSONRPCResponse

from gleitzeit_mcp.incoming import message_of

DEEP = b"[" * 5_000 + b"]" * 5_000


def test_half_of_a_surrogate_pair_is_replaced() -> None:
    message = message_of(rb'{"jsonrpc": "2.0", "id": 3, "result": {"text": "a\ud83d"}}')
    assert isinstance(message, JSONRPCResponse)
    assert (message.id, message.result) == (3, {"text": "a?"})


@pytest.mark.parametrize(
    ("line", "answered"),
    [
        (b'{"jsonrpc": "2.0", "id": 3, "result": {"id": 9, "a": ' + DEEP + b"}}", 3),
        (b'{"jsonrpc": "2.0", "result": {"id": 9, "a": ' + DEEP + b'}, "id" : "x\\"y"}', 'x"y'),
        (b'{"jsonrpc": "2.0", "id": 4, "result": "no object"}', 4),
        (b'{"jsonrpc": "2.0", "id": 5, "error": {"code": "none"}}', 5),
        (b'{"jsonrpc": "2.0", "id": 6, "result": {"cut', 6),
    ],
)
def test_an_answer_that_cannot_be_read_ends_its_request(line: bytes, answered: int | str) -> None:
    message = message_of(line)
    assert isinstance(message, JSONRPCError)
    assert message.id == answered
    assert "the server's answer cannot be read: " in message.error.message


@pytest.mark.parametrize(
    "line",
    [
        b"Starting server ...",
        b'{"not": "a message"}',
        b'{"id": 1, "text": "no answer"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "ping", "result": ' + DEEP + b"}",
        b'{"jsonrpc": "2.0", "id": null, "result": ' + DEEP + b"}",
        b'["id", 3, "result"]',
        b"\xff\xfe",
    ],
)
def test_what_is_no_message_is_none(line: bytes) -> None:
    assert message_of(line) is None


def test_a_long_line_that_is_no_message_holds_up_nobody() -> None:
    started = time.process_time()
    assert message_of(b'{"a": ' + b"[" * 30_000_000) is None
    assert time.process_time() - started < 5


@pytest.mark.parametrize("code", [-32000, -32001])
def test_an_error_of_a_server_never_looks_like_a_lost_connection(code: int) -> None:
    line = json.dumps({"jsonrpc": "2.0", "id": 7, "error": {"code": code, "message": "disk is full"}}).encode()
    message = message_of(line)
    assert isinstance(message, JSONRPCError)
    assert (message.id, message.error.code, message.error.message) == (7, -32603, "disk is full")
