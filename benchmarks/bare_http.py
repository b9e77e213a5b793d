"""The least that an SDK server can be over streamable HTTP; prints its address as it begins to listen."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import uvicorn
from mcp.server import Server
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.routing import Mount

from benchmarks.bare_server import call_tool, list_tools


async def main() -> None:
    """Serve until the end of the process."""
    sessions = StreamableHTTPSessionManager(Server("bare", on_list_tools=list_tools, on_call_tool=call_tool))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None]:
        async with sessions.run():
            yield

    app = Starlette(routes=[Mount("/", app=sessions.handle_request)], lifespan=lifespan)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        print(f"http://127.0.0.1:{listening.getsockname()[1]}/mcp", flush=True)
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", access_log=False))
        await server.serve(sockets=[listening])


if __name__ == "__main__":
    anyio.run(main)
