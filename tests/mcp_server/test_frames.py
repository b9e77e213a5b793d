"""A line is read as the SDK's own adapter reads it, in whatever order the kinds of messages are tried."""

from __future__ import annotations

import pytest
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter

from gleitzeit.mcp_server.frames import MalformedFrameError, decode

LINES = [
    b'{"jsonrpc":"2.0","id":1,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"x","arguments":{"result":1,"error":2}}}',
    b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
    b'{"jsonrpc":"2.0","method":"x","params":{"id":1}}',
    b'{"jsonrpc":"2.0","id":1,"result":{}}',
    b'{"jsonrpc":"2.0","id":1,"result":{},"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}',
    b'{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"},"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"erro\\u0072":{"code":1,"message":"x"},"method":"ping"}',
    b'{"jsonrpc":"2.0","\\u0069d":1,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":null}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","more":1}',
]
NO_MESSAGES = [
    b'{"jsonrpc":"2.0","id":null,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}',
    b'{"jsonrpc":"1.0","id":1,"method":"ping"}',
    b'{"id":1,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":1}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}',
    b"[]",
    b"no",
]


@pytest.mark.parametrize("line", LINES)
def test_a_message_is_what_the_adapter_says(line: bytes) -> None:
    frame = decode(line)
    assert isinstance(frame, SessionMessage)
    expected = jsonrpc_message_adapter.validate_json(line, by_name=False)
    assert type(frame.message) is type(expected)
    assert frame.message == expected


@pytest.mark.parametrize("line", NO_MESSAGES)
def test_anything_else_is_none(line: bytes) -> None:
    assert isinstance(decode(line), MalformedFrameError)
