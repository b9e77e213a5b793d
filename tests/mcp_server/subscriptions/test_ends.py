"""Clients that listen hear of the end, and those that do not read hold up nobody."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp import Client
from mcp.server.subscriptions import ResourceUpdated, ToolsListChanged
from tests.mcp_server.subscriptions.bench import Bench, Factory, served
from tests.pipe import HELLO, Pipe, modern, pipe

Deaf = Callable[[str], AbstractAsyncContextManager[None]]

pytestmark = pytest.mark.anyio

LISTEN = {"notifications": {"toolsListChanged": True}}
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "subscriptions/listen",
}


async def listen(host: Pipe, request_id: int) -> None:
    await host.send({"id": request_id, "method": "subscriptions/listen", "params": modern(**LISTEN)})
    acknowledged = await host.receive()
    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"


async def test_a_host_that_listens_hears_that_the_process_is_told_to_stop(environment: dict[str, str]) -> None:
    with anyio.fail_after(20):
        async with pipe(environment) as host:
            await listen(host, 1)
            host.process.send_signal(signal.SIGTERM)
            with anyio.fail_after(2):
                last = await host.answer(1)
                code = await host.process.wait()
    assert last["result"]["resultType"] == "complete"
    assert last["result"]["_meta"]["io.modelcontextprotocol/subscriptionId"] == 1
    assert code == 0


async def test_a_host_that_listens_and_hangs_up_is_not_waited_for(environment: dict[str, str]) -> None:
    with anyio.fail_after(20):
        async with pipe(environment) as host:
            await listen(host, 1)
            await host.stdin.aclose()
            with anyio.fail_after(2):
                assert await host.process.wait() == 0


async def test_a_stream_over_http_ends_with_its_result_as_the_server_does(factory: Factory) -> None:
    bench = Bench()
    body = {"jsonrpc": "2.0", "id": "l", "method": "subscriptions/listen", "params": modern(**LISTEN)}
    messages: list[dict[str, Any]] = []
    with anyio.fail_after(20):
        async with (
            httpx2.AsyncClient() as client,
            served(bench, factory) as url,
            client.stream("POST", f"{url}/mcp", json=body, headers=HEADERS) as response,
        ):
            async for line in response.aiter_lines():
                if line.startswith("data: "):
                    messages.append(json.loads(line.removeprefix("data: ")))
                    bench.stop()
    assert messages[0]["method"] == "notifications/subscriptions/acknowledged"
    assert messages[-1]["id"] == "l"
    assert messages[-1]["result"]["resultType"] == "complete"


LONG = [f"bench://{'x' * 8_000}{number}" for number in range(8)]


@asynccontextmanager
async def deaf_listener(url: str) -> AsyncGenerator[None]:
    """A client that asks for changes and reads none of them."""
    wanted = {"notifications": {"resourceSubscriptions": LONG}}
    body = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": modern(**wanted)}
    async with httpx2.AsyncClient() as client, client.stream("POST", f"{url}/mcp", json=body, headers=HEADERS):
        yield


@asynccontextmanager
async def deaf_session(url: str) -> AsyncGenerator[None]:
    """The same with a session, whose stream it leaves alone."""
    headers = {"Accept": "application/json, text/event-stream", "MCP-Protocol-Version": "2025-11-25"}
    async with httpx2.AsyncClient(base_url=url, headers=headers) as client:

        async def post(method: str, number: int | None = None, **params: Any) -> httpx2.Response:
            numbered = {} if number is None else {"id": number}
            return await client.post("/mcp", json={"jsonrpc": "2.0", **numbered, "method": method, "params": params})

        answer = await post("initialize", 0, **HELLO)
        client.headers["Mcp-Session-Id"] = answer.headers["Mcp-Session-Id"]
        await post("notifications/initialized")
        async with client.stream("GET", "/mcp"):
            for number, uri in enumerate(LONG, 1):
                await post("resources/subscribe", number, uri=uri)
            yield


@pytest.mark.parametrize("deaf", [deaf_listener, deaf_session])
async def test_clients_that_never_read_hold_up_nobody(factory: Factory, deaf: Deaf) -> None:
    bench = Bench()
    with anyio.fail_after(30):
        async with (
            served(bench, factory) as url,
            deaf(url),
            deaf(url),
            Client(f"{url}/mcp", mode="auto", cache=None) as client,
            client.listen(tools_list_changed=True) as told,
        ):
            for _ in range(300):  # more than what any socket takes for one that does not read
                for uri in LONG:
                    await bench.publish(ResourceUpdated(uri))
                await bench.publish(ToolsListChanged())
                assert await anext(told) == ToolsListChanged()
