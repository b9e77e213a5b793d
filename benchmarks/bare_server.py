"""The least that an SDK server can be: low level, one tool, over stdio. What Gleitzeit's start is compared with."""

from __future__ import annotations

import anyio
import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.stdio import stdio_server

Context = ServerRequestContext[dict[str, object]]

TOOL = types.Tool(name="noop", description="Does nothing.", input_schema={"type": "object", "properties": {}})


async def list_tools(_: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[TOOL], ttl_ms=0, cache_scope="public")


async def call_tool(_: Context, params: types.CallToolRequestParams) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text="done")])


async def main() -> None:
    server = Server("bare", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
