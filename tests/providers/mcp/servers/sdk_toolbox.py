"""A server of the SDK with a tool for each thing that a hub has to pass on."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import anyio
from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp_types import CallToolResult, TextContent, ToolAnnotations

server = MCPServer("toolbox")


@server.tool(annotations=ToolAnnotations(read_only_hint=True))
def add(a: int, b: int) -> dict[str, int]:
    """Add two numbers."""
    return {"sum": a + b}


@server.tool(structured_output=False)
def describe(kind: str) -> str:
    """Answer with text: a JSON object, a JSON list, or words."""
    return {"object": '{"count": 3, "none": null}', "list": "[1, 2]"}.get(kind, "just words")


@server.tool()
def count_to(limit: int) -> list[int]:
    """Answer with a list."""
    return list(range(limit))


@server.tool()
def nothing_within() -> CallToolResult:
    """Answer with structured content that has a null in it."""
    return CallToolResult(content=[TextContent(text="see there")], structured_content={"value": None})


@server.tool()
def fail(reason: str) -> str:
    """Report an error."""
    raise ToolError(reason)


@server.tool()
def environment(name: str) -> str:
    """Show a variable of the server's environment."""
    return os.environ.get(name, "(not set)")


@server.tool()
def folder() -> str:
    """Show the server's working directory."""
    return str(Path.cwd())


@server.tool()
def takes_timeout(timeout: float) -> float:
    """A tool with a parameter that tasks have too."""
    return timeout


@server.tool()
def takes_arguments(arguments: dict[str, Any]) -> str:
    """A tool with a parameter that the hub gives a meaning to."""
    return json.dumps(sorted(arguments))


@server.tool()
async def slow(started: str, cancelled: str, ctx: Context) -> None:
    """Report progress, touch `started`, and never end; touch `cancelled` when cancelled."""
    await ctx.report_progress(1, 4, "a quarter")
    await anyio.Path(started).touch()
    try:
        await anyio.sleep_forever()
    finally:
        os.close(os.open(cancelled, os.O_CREAT))


@server.tool()
def crash(code: int) -> str:
    """End the process in the middle of the call."""
    os.write(2, b"boom: out of ink\n")
    os._exit(code)


@server.tool()
def process() -> int:
    """Show the process id."""
    return os.getpid()


if __name__ == "__main__":
    server.run()
