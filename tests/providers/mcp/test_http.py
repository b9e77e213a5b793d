"""Servers that are reached by a URL."""

from __future__ import annotations

import runpy
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
import uvicorn
from mcp.server import MCPServer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]

TOOLBOX = Path(__file__).parent / "servers" / "sdk_toolbox.py"


class Listening:
    """An application that is served on a free port of loopback."""

    def __init__(self, app: Starlette, listener: socket.socket) -> None:
        self.address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self._listener = listener
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", ws="none", timeout_graceful_shutdown=1))
        self._gone = anyio.Event()

    async def serve(self) -> None:
        await self._server.serve([self._listener])
        self._gone.set()

    async def stop(self) -> None:
        self._server.should_exit = True
        await self._gone.wait()


@asynccontextmanager
async def listening(app: Starlette) -> AsyncGenerator[Listening]:
    """Serve an application for as long as the block runs, or until it is stopped."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        served = Listening(app, listener)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(served.serve)
            yield served
            await served.stop()


@pytest.mark.parametrize("connection_type", ["http", "sse"])
@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_tools_are_called_by_url(open_hub: OpenHub, connection_type: str, mode: str) -> None:
    toolbox: MCPServer = runpy.run_path(str(TOOLBOX))["server"]
    app = toolbox.sse_app() if connection_type == "sse" else toolbox.streamable_http_app()
    path = "/sse" if connection_type == "sse" else "/mcp"
    with anyio.fail_after(30):
        async with listening(app) as far:
            server = {"name": "far", "connection_type": connection_type, "url": far.address + path, "mode": mode}
            async with open_hub(server) as hub:
                assert (await hub.handle_request("mcp/tool.far.add", {"a": 2, "b": 3}))["sum"] == 5
                (shown,) = (await hub.handle_request("mcp/servers", {}))["servers"]
    assert (shown["state"], shown["transport"]) == ("ready", connection_type)


async def test_a_server_that_went_away_is_unavailable(open_hub: OpenHub) -> None:
    toolbox: MCPServer = runpy.run_path(str(TOOLBOX))["server"]
    with anyio.fail_after(30):
        async with (
            listening(toolbox.streamable_http_app()) as far,
            open_hub({"name": "far", "url": f"{far.address}/mcp?key=hidden", "restart_on_failure": False}) as hub,
        ):
            await hub.handle_request("mcp/tool.far.add", {"a": 1, "b": 1})
            await far.stop()
            with pytest.raises(ProviderUnavailableError) as failure:  # nothing was sent
                await hub.handle_request("mcp/tool.far.add", {"a": 1, "b": 1})
    assert not failure.value.ambiguous
    assert "hidden" not in str(failure.value)


async def test_headers_and_token_are_sent_and_a_refusal_is_shown_without_them(
    open_hub: OpenHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLEITZEIT_TEST_TOKEN", "t0ken")
    seen: list[tuple[str | None, str | None]] = []

    async def refuse(request: Request) -> Response:
        seen.append((request.headers.get("authorization"), request.headers.get("x-team")))
        return PlainTextResponse("who are you", status_code=401)

    app = Starlette()
    app.add_route("/mcp", refuse, methods=["GET", "POST"])
    with anyio.fail_after(30):
        async with listening(app) as far:
            server: dict[str, Any] = {
                "name": "far",
                "url": far.address + "/mcp",
                "auth_token": "${GLEITZEIT_TEST_TOKEN}",
                "headers": {"X-Team": "blue"},
            }
            async with open_hub(server) as hub:
                with pytest.raises(ProviderUnavailableError) as failure:
                    await hub.handle_request("mcp/tool.far.add", {})
    assert seen[0] == ("Bearer t0ken", "blue")
    assert "t0ken" not in str(failure.value)
