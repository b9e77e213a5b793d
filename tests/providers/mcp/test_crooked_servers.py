"""A server whose answers are not what they should be spoils no more than those answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import MethodNotFoundError, ProviderError
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]
OwnServer = Callable[..., dict[str, Any]]


async def test_a_malformed_tool_is_named_and_the_others_work(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("crooked")) as hub:
            assert (await hub.handle_request("mcp/tool.crooked.good", {}))["text"] == "good"
            with pytest.raises(MethodNotFoundError):
                await hub.handle_request("mcp/tool.crooked.bent", {})
            (server,) = (await hub.handle_request("mcp/servers", {}))["servers"]
    assert (server["state"], server["tools"]) == ("degraded", 3)
    assert 'tool "bent" is malformed: inputSchema.properties' in server["last_error"]


async def test_half_of_a_character_is_replaced(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("crooked")) as hub:
            assert (await hub.handle_request("mcp/tool.crooked.half", {}))["text"] == "?"


async def test_an_answer_that_cannot_be_read_fails_its_call_at_once_and_for_good(
    open_hub: OpenHub, own_server: OwnServer
) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("crooked")) as hub:
            with pytest.raises(ProviderError, match="the answer cannot be read") as failure:
                await hub.handle_request("mcp/tool.crooked.deep", {})
            assert (await hub.handle_request("mcp/tool.crooked.good", {}))["text"] == "good"
    assert not failure.value.retryable
