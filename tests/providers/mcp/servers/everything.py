"""The reference server of MCP, from npm, by each of its transports."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
from anyio.abc import ByteReceiveStream, TaskStatus

PATHS = {"sse": "/sse", "streamableHttp": "/mcp"}
TYPES = {"stdio": "stdio", "sse": "sse", "streamableHttp": "http"}
WAYS = list(TYPES)


@asynccontextmanager
async def offered(settings: dict[str, Any], way: str) -> AsyncGenerator[dict[str, Any]]:
    """The settings by which it is reached: those given for stdio; else it is started here, on a port of loopback."""
    if way == "stdio":
        yield settings
        return
    port = free_port()
    command = [settings["command"], *settings["args"], way]
    environment = {**os.environ, "PORT": str(port)}
    async with (
        await anyio.open_process(command, env=environment, stdout=subprocess.DEVNULL) as process,
        anyio.create_task_group() as tasks,
    ):
        assert process.stderr is not None
        try:
            await tasks.start(_listened_to, process.stderr)
            others = {key: value for key, value in settings.items() if key not in ("command", "args")}
            yield others | {"connection_type": TYPES[way], "url": f"http://127.0.0.1:{port}{PATHS[way]}"}
        finally:
            process.kill()
        tasks.cancel_scope.cancel()


async def _listened_to(stderr: ByteReceiveStream, *, task_status: TaskStatus[None]) -> None:
    """Say when it listens, and take away what it says after that."""
    said = b""
    async for piece in stderr:
        if b"port" not in said:
            said += piece
            if b"port" in said:
                task_status.started()


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
