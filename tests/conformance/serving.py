"""A server for the suite to be run against."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path

import anyio

from gleitzeit.application import Application, open_application
from gleitzeit.config import load_configuration
from gleitzeit.mcp_server.address import listen
from gleitzeit.mcp_server.http import Build, serve_http


@asynccontextmanager
async def served(build: Build, home: Path) -> AsyncGenerator[str]:
    """Serve what is built over HTTP, as `gleitzeit serve` does with an empty `home`, and tell its URL."""

    def factory() -> AbstractAsyncContextManager[Application]:
        return open_application(load_configuration(environ={"GLEITZEIT_HOME": str(home)}))

    stop = anyio.Event()
    listening = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{listening.getsockname()[1]}/mcp"
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(serve_http, factory, listening, _told, stop.wait, build=build))
        try:
            yield url
        finally:
            stop.set()


def _told(_: str) -> None:
    """Who asks knows the address already."""
