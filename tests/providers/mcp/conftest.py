"""A hub that is open for a test, and the servers it may be given."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit_mcp import MCPHubProvider

ROOT = Path(__file__).parents[3]
TOOLBOX = "tests.providers.mcp.servers.toolbox"
OWN_SERVERS = Path(__file__).parent / "servers"
NPM_PACKAGES = Path(__file__).parents[2] / "servers" / "node_modules"


@pytest.fixture
def own_server() -> Callable[..., dict[str, Any]]:
    """The settings of one of the servers in this folder: `own_server("toolbox", tool_prefix="t.")`."""

    def settings(script: str, **others: Any) -> dict[str, Any]:
        if script == "toolbox":  # it stands for most servers, and so does without the time that the SDK takes to import
            start = f"import sys; sys.path.append({str(ROOT)!r}); from {TOOLBOX} import server; server.serve()"
            return {"name": script, "command": [sys.executable, "-S", "-c", start], **others}
        return {"name": script, "command": [sys.executable, str(OWN_SERVERS / f"{script}.py")], **others}

    return settings


@pytest.fixture
def npm_server() -> Callable[..., dict[str, Any]]:
    """The settings of a server from npm; skips the test where it is not installed."""

    def settings(package: str, *args: str, **others: Any) -> dict[str, Any]:
        node = shutil.which("node")
        script = NPM_PACKAGES / "@modelcontextprotocol" / f"server-{package}" / "dist" / "index.js"
        if node is None:
            pytest.skip("Node.js is not installed")
        if not script.is_file():
            pytest.skip("the npm servers are not installed: run `npm ci` in tests/servers")
        return {"name": package, "command": node, "args": [str(script), *args], **others}

    return settings


@pytest.fixture
def open_hub() -> Callable[..., AbstractAsyncContextManager[MCPHubProvider]]:
    """`async with open_hub(*servers, roots=...) as hub`: a hub in the care of a task group, as in a registry."""

    @asynccontextmanager
    async def opened(*servers: dict[str, Any], **section: Any) -> AsyncGenerator[MCPHubProvider]:
        hub = MCPHubProvider("mcp", {"servers": list(servers), **section})
        await hub.initialize()
        try:
            async with anyio.create_task_group() as tasks:
                await tasks.start(hub.serve)
                yield hub
                tasks.cancel_scope.cancel()
        finally:
            await hub.shutdown()

    return opened
