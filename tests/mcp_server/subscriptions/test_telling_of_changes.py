"""Clients of both eras are told what has changed, over every transport."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp.server.subscriptions import (
    PromptsListChanged,
    ResourcesListChanged,
    ResourceUpdated,
    ServerEvent,
    ToolsListChanged,
)
from mcp.shared.exceptions import MCPError
from tests.mcp_server.subscriptions.bench import Bench, Factory, Transport, connected, subscribe, unsubscribe

pytestmark = pytest.mark.anyio

TRANSPORTS: list[Transport] = ["memory", "lanes", "sse", "http"]
URI = "bench://one"
LISTS: Mapping[str, ServerEvent] = {
    "notifications/tools/list_changed": ToolsListChanged(),
    "notifications/resources/list_changed": ResourcesListChanged(),
    "notifications/prompts/list_changed": PromptsListChanged(),
}


class Heard:
    """What a client hears outside of its requests."""

    def __init__(self) -> None:
        self._notifications: list[str] = []
        self._more = anyio.Event()

    async def __call__(self, message: Any) -> None:
        if isinstance(message, types.ServerNotification):
            uri = getattr(message.params, "uri", None)
            self._notifications.append(f"{message.method} {uri}" if uri else message.method)
            self._more.set()

    async def next(self) -> str:
        while not self._notifications:
            self._more = anyio.Event()
            await self._more.wait()
        return self._notifications.pop(0)


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_that_listens_is_told_what_it_asked_for_and_then_that_it_is_over(
    factory: Factory, transport: Transport
) -> None:
    bench = Bench()
    with anyio.fail_after(15):
        async with connected(bench, factory, transport, mode="auto") as client:
            capabilities = client.server_capabilities
            async with client.listen(tools_list_changed=True, resource_subscriptions=[URI]) as told:
                await bench.publish(PromptsListChanged())
                await bench.publish(ToolsListChanged())
                first = await anext(told)
                await bench.watched(URI)
                bench.tick(URI)
                second = await anext(told)
                await bench.end()
                rest = [event async for event in told]
    assert capabilities is not None
    assert capabilities.tools == types.ToolsCapability(list_changed=True)
    assert capabilities.resources == types.ResourcesCapability(list_changed=True, subscribe=True)
    assert (first, second, rest) == (ToolsListChanged(), ResourceUpdated(URI), [])


@pytest.mark.parametrize("transport", TRANSPORTS)
async def test_a_client_that_began_with_a_handshake_is_told_on_its_session(
    factory: Factory, transport: Transport
) -> None:
    bench, heard = Bench(), Heard()
    with anyio.fail_after(15):
        async with connected(bench, factory, transport, mode="legacy", message_handler=heard) as client:
            capabilities = client.server_capabilities
            await client.list_tools()
            for method, event in LISTS.items():
                await bench.publish(event)
                assert await heard.next() == method
            await subscribe(client, URI)
            await subscribe(client, URI)
            await bench.watched(URI)
            bench.tick(URI)
            assert await heard.next() == f"notifications/resources/updated {URI}"
            await subscribe(client, "bench://two")
            await bench.watched("bench://two")
            await unsubscribe(client, "bench://two")
            await bench.unwatched("bench://two")
            await bench.publish(ResourceUpdated("bench://two"))  # of interest to others
            await bench.publish(ToolsListChanged())
            assert await heard.next() == "notifications/tools/list_changed"
            await subscribe(client, "bench://three")
            await bench.watched("bench://three")
        await bench.unwatched("bench://three")
    assert capabilities is not None
    assert capabilities.tools == types.ToolsCapability(list_changed=True)
    assert capabilities.resources == types.ResourcesCapability(list_changed=True, subscribe=True)
    assert capabilities.extensions is None


async def test_a_session_subscribes_to_no_more_than_so_many_resources(factory: Factory) -> None:
    with anyio.fail_after(15):
        async with connected(Bench(), factory, "memory", mode="legacy") as client:
            for number in range(256):
                await subscribe(client, f"bench://{number}")
            with pytest.raises(MCPError) as many:
                await subscribe(client, "bench://more")
            await unsubscribe(client, "bench://7")
            with pytest.raises(MCPError) as long:
                await subscribe(client, f"bench://{'x' * 8_192}")
            await subscribe(client, "bench://more")
    assert many.value.error.code == long.value.error.code == types.INVALID_PARAMS
