"""What a call over HTTP costs: the call, and nothing beside it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from mcp.server import Server, ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from tests.conformance.serving import served
from tests.pipe import modern

from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.server import build_server

pytestmark = pytest.mark.anyio

CALL = {"name": "search_methods", "arguments": {"query": "servers"}}
HEADERS = {
    "Accept": "application/json, text/event-stream",
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "search_methods",
}


async def test_a_call_lists_no_tools_on_its_way(tmp_path: Path) -> None:
    served_methods: list[str] = []

    async def note(ctx: ServerRequestContext[Face, Any], call_next: CallNext) -> HandlerResult:
        served_methods.append(ctx.method)
        return await call_next(ctx)

    def build(face: Face) -> Server[Face]:
        server = build_server(face)
        server.middleware.append(note)
        return server

    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": modern(**CALL)}
    with anyio.fail_after(20):
        async with served(build, tmp_path) as url, httpx2.AsyncClient(timeout=20) as client:
            response = await client.post(url, json=body, headers=HEADERS)
    assert response.status_code == 200
    assert served_methods == ["tools/call"]
