"""Calls of tools go past the SDK's models; what a client gets is what it would have got through them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse
from tests.mcp_server.conftest import Streams, over_pipes

from gleitzeit.application import Application
from gleitzeit.mcp_server import calling

Factory = Callable[[], AbstractAsyncContextManager[Application]]

pytestmark = pytest.mark.anyio

ECHO = {"method": "probe/echo", "parameters": {"text": "tide"}}
CALLS: dict[str, Any] = {
    "an answer": {"name": "call_method", "arguments": ECHO},
    "of another tool": {"name": "list_workflows"},
    "a failure": {"name": "call_method", "arguments": {"method": "probe/fail", "parameters": {"message": "no"}}},
    "a part": {"name": "call_method", "arguments": {"method": "probe/big", "parameters": {"size": 100_000}}},
    "what is odd": {"name": "call_method", "arguments": {"method": "probe/odd"}},
    "arguments that do not fit": {"name": "call_method", "arguments": {"method": 1}},
    "an unknown tool": {"name": "no_tool", "arguments": {}},
    "no name": {"arguments": {}},
    "no params": None,
    "a name that is no text": {"name": 1},
    "arguments that are no object": {"name": "call_method", "arguments": []},
    "what no version knows": {"name": "call_method", "arguments": ECHO, "more": 1, "_meta": {"x": None}},
    "progress": {"name": "call_method", "arguments": ECHO, "_meta": {"progressToken": "p"}},
    "a token that is none": {"name": "call_method", "arguments": ECHO, "_meta": {"progressToken": [1]}},
    "a round of another era": {"name": "call_method", "arguments": ECHO, "requestState": 1},
}
VERSIONS = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"]
RUN = re.compile(r"\b[0-9a-f]{16}\b|after [0-9.]+ s")


async def answers(factory: Factory, version: str) -> dict[str, Any]:
    """What each of the calls is answered, with neither ids nor times."""
    told: dict[str, Any] = {}
    async with over_pipes(factory) as streams:
        hello = {"protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        told["before all"] = await answered(streams, 0, "tools/call", CALLS["an answer"])
        await answered(streams, 1, "initialize", hello)
        await streams[1].send(SessionMessage(JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")))
        for number, (name, params) in enumerate(CALLS.items(), 2):
            told[name] = await answered(streams, number, "tools/call", params)
    return told


async def answered(streams: Streams, number: int, method: str, params: Any) -> Any:
    fields = {} if params is None else {"params": params}
    request = JSONRPCRequest.model_construct(jsonrpc="2.0", id=number, method=method, **fields)
    await streams[1].send(SessionMessage(request))
    while True:
        frame = await streams[0].receive()
        assert isinstance(frame, SessionMessage)
        message = frame.message
        if isinstance(message, JSONRPCResponse | JSONRPCError) and message.id == number:
            return json.loads(RUN.sub("*", message.model_dump_json(exclude_unset=True)))


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_client_gets_what_it_would_get_through_the_sdk(
    version: str, factory: Factory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with anyio.fail_after(30):
        straight = await answers(factory, version)
        monkeypatch.setattr(calling, "_STRAIGHT", frozenset[str]())
        assert straight == await answers(factory, version)
    assert straight["an answer"]["result"]["structuredContent"]["outputs"] == {"text": "tide"}
    assert straight["a failure"]["result"]["isError"]
