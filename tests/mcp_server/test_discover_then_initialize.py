"""A host that asks for `server/discover` and then shakes hands anyway is served in both eras, on one HTTP connection.

The same on a pipe is in `test_one_pipe`, and on SSE in `test_one_port`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import httpx2
import pytest
from tests.pipe import HELLO, modern

from gleitzeit.mcp_server.manifest.tools import TOOLS

Serving = Callable[[], AbstractAsyncContextManager[str]]

pytestmark = pytest.mark.anyio


class Connection:
    """A host that writes its requests by hand, one after the other on one connection."""

    def __init__(self, client: httpx2.AsyncClient, url: str) -> None:
        self._client = client
        self._url = url
        self.session: dict[str, str] = {}

    async def post(self, message: Mapping[str, Any], **headers: str) -> httpx2.Response:
        accepted = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        response = await self._client.post(self._url, json={"jsonrpc": "2.0", **message}, headers=accepted | headers)
        assert response.status_code in (200, 202), response.text
        return response

    async def modern(self, number: int, method: str) -> dict[str, Any]:
        headers = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": method}
        return result_of(await self.post({"id": number, "method": method, "params": modern()}, **headers))

    async def initialize(self, number: int) -> dict[str, Any]:
        response = await self.post({"id": number, "method": "initialize", "params": HELLO})
        self.session = {"Mcp-Session-Id": response.headers["mcp-session-id"], "MCP-Protocol-Version": "2025-11-25"}
        await self.post({"method": "notifications/initialized"}, **self.session)
        return result_of(response)

    async def legacy(self, number: int, method: str) -> dict[str, Any]:
        return result_of(await self.post({"id": number, "method": method, "params": {}}, **self.session))


def result_of(response: httpx2.Response) -> dict[str, Any]:
    """The result in a response, be it JSON or a stream of events."""
    body = response.text
    if response.headers["content-type"].startswith("text/event-stream"):
        body = next(line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: {"))
    result: dict[str, Any] = json.loads(body)["result"]
    return result


async def test_both_eras_are_answered_on_one_http_connection(serving: Serving) -> None:
    one = httpx2.Limits(max_connections=1)
    with anyio.fail_after(15):
        async with serving() as url, httpx2.AsyncClient(limits=one) as client:
            host = Connection(client, f"{url}/mcp")
            discovered = await host.modern(1, "server/discover")
            initialized = await host.initialize(2)
            legacy = await host.legacy(3, "tools/list")
            newer = await host.modern(4, "tools/list")
            pong = await host.legacy(5, "ping")
    assert "2026-07-28" in discovered["supportedVersions"]
    assert initialized["protocolVersion"] == "2025-11-25"
    assert len(legacy["tools"]) == len(newer["tools"]) == len(TOOLS)
    assert newer["resultType"] == "complete"
    assert pong == {}
