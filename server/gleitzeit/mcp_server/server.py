"""The MCP server: what it says of itself, and how its tools are reached."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from functools import cache
from typing import TYPE_CHECKING, Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server._otel import OpenTelemetryMiddleware

from gleitzeit.mcp_server.access.caller import caller_of
from gleitzeit.mcp_server.access.rights import guard_rights
from gleitzeit.mcp_server.auditing import Auditing
from gleitzeit.mcp_server.calling import Calling
from gleitzeit.mcp_server.completions.serving import serve_completions
from gleitzeit.mcp_server.dual_era import DualEraServer
from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.instructions import INSTRUCTIONS
from gleitzeit.mcp_server.manifest.tools import TOOLS
from gleitzeit.mcp_server.prompts.serving import serve_prompts
from gleitzeit.mcp_server.resources.serving import serve_resources
from gleitzeit.mcp_server.resources.watching import watch_address
from gleitzeit.mcp_server.subscriptions.serving import serve_subscriptions
from gleitzeit.mcp_server.tasks.extension import serve_tasks
from gleitzeit.mcp_server.tracing import Traced
from gleitzeit.version import __version__

if TYPE_CHECKING:  # at run time it is imported after the first answer
    from gleitzeit.mcp_server.tasks.runs import RunTasks

Context = ServerRequestContext[Face, Any]


def build_server(face: Face) -> Server[Face]:
    """The server whose tools work on the application behind `face`; it may serve many connections at once."""

    @asynccontextmanager
    async def lifespan(_: Server[Face]) -> AsyncGenerator[Face]:
        yield face  # the process owns it, not the connection

    tasks = _run_tasks(face)
    server = DualEraServer[Face](
        "gleitzeit",
        version=__version__,
        title="Gleitzeit",
        description="Runs workflows that chain tools, models and code",
        instructions=INSTRUCTIONS,
        lifespan=lifespan,
        get_tool_input_schema=_no_headers,
        on_list_tools=_list_tools,
    )
    calling = Calling(tasks)
    server.add_request_handler("tools/call", types.CallToolRequestParams, calling.handle)
    serve_subscriptions(server, face.changes, watch_address, feeds=[serve_tasks(server, tasks)])
    serve_resources(server)
    serve_prompts(server)
    serve_completions(server)
    server.middleware[:] = [
        Traced(middleware) if isinstance(middleware, OpenTelemetryMiddleware) else middleware
        for middleware in server.middleware
    ]
    server.middleware.append(Auditing())  # sees also what the rights refuse
    guard_rights(server)
    server.middleware.append(calling)
    return server


def _no_headers(_: str) -> None:
    """No parameter of a tool is a header too; without this answer the SDK lists all tools at each call, to find out."""


async def _list_tools(context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    listed = [*TOOLS.values(), *await _published(context.lifespan_context, caller_of(context).name)]
    return types.ListToolsResult(tools=listed, ttl_ms=0, cache_scope="private")


async def _published(face: Face, caller: str) -> list[types.Tool]:
    if face.application.idle and face.bare():
        face.news.owe(caller)
        return []
    from gleitzeit.mcp_server.published.serving import published_tools  # it imports the application

    return await published_tools(face.application, face.news, caller)


def _run_tasks(face: Face) -> Callable[[], RunTasks]:
    """The tasks of the application's runs, made when they are first asked for."""

    @cache
    def tasks() -> RunTasks:
        from gleitzeit.mcp_server.tasks.runs import RunTasks  # the first answer is out before this is needed

        return RunTasks(face.application)

    return tasks
