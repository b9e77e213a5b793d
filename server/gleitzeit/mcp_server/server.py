"""The MCP server: what it says of itself, and how its tools are reached."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.instructions import INSTRUCTIONS
from gleitzeit.mcp_server.tools.manifest import TOOLS
from gleitzeit.version import __version__

Context = ServerRequestContext[Face, Any]


def build_server(face: Face) -> Server[Face]:
    """The server whose tools work on the application behind `face`; it may serve many connections at once."""

    @asynccontextmanager
    async def lifespan(_: Server[Face]) -> AsyncGenerator[Face]:
        yield face  # the process owns it, not the connection

    return Server(
        "gleitzeit",
        version=__version__,
        title="Gleitzeit",
        description="Runs workflows that chain tools, models and code",
        instructions=INSTRUCTIONS,
        lifespan=lifespan,
        on_list_tools=_list_tools,
        on_call_tool=_call_tool,
        on_subscriptions_listen=face.changes.listen,
    )


async def _list_tools(context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    context.lifespan_context.application.begin()
    return types.ListToolsResult(tools=list(TOOLS.values()), ttl_ms=0, cache_scope="public")


async def _call_tool(
    context: Context, params: types.CallToolRequestParams
) -> types.CallToolResult | types.InputRequiredResult:
    if params.name not in TOOLS:
        hint = did_you_mean(params.name, TOOLS) or f"there are {', '.join(TOOLS)}"
        raise MCPError(code=types.INVALID_PARAMS, message=f'unknown tool "{params.name}"; {hint}')
    from gleitzeit.mcp_server.tools.dispatch import carry_out  # the first answer is out before this is needed

    answer = await carry_out(context, params)
    if isinstance(answer, types.InputRequiredResult):
        return answer
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=answer.text)],
        structured_content=answer.data,
        is_error=answer.failed,
    )
