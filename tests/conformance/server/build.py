"""The server that the conformance suite is run against: what it asks for, on the serving code of the product."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import mcp_types as types
from mcp.server import Server
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp.shared.exceptions import MCPError
from tests.conformance.server import contents, prompts, pushes, resources, rounds, signs
from tests.conformance.server.base import Answer, Tool
from tests.conformance.server.jobs import Jobs
from tests.conformance.server.task_tools import task_tools

from gleitzeit.mcp_server.dual_era import DualEraServer
from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.server import Context
from gleitzeit.mcp_server.subscriptions.serving import serve_subscriptions
from gleitzeit.mcp_server.tasks.extension import serve_tasks


def build_fixture(face: Face) -> Server[Face]:
    """A server with the tools, resources and prompts that the suite calls by name."""

    @asynccontextmanager
    async def lifespan(_: Server[Face]) -> AsyncGenerator[Face]:
        yield face

    jobs = Jobs(face.changes.tasks)
    tools = Tools((*contents.TOOLS, *signs.TOOLS, *pushes.TOOLS, *rounds.TOOLS, *task_tools(jobs)))
    server = DualEraServer[Face](
        "conformance",
        version="1",
        lifespan=lifespan,
        get_tool_input_schema=tools.schema,
        on_list_tools=tools.list,
        on_list_resources=resources.list_resources,
        on_list_resource_templates=resources.list_templates,
        on_read_resource=resources.read_resource,
        on_list_prompts=prompts.list_prompts,
        on_get_prompt=prompts.get_prompt,
        on_completion=prompts.complete,
    )
    server.add_request_handler("tools/call", types.CallToolRequestParams, tools.call)
    server.add_request_handler("logging/setLevel", types.SetLevelRequestParams, _set_level)
    serve_subscriptions(server, face.changes, resources.watch, [serve_tasks(server, lambda: jobs)])
    server.middleware.append(RequestStateBoundary(RequestStateSecurity.ephemeral(), default_audience=server.name))
    return server


class Tools:
    """The tools of the server, by their names."""

    def __init__(self, tools: tuple[Tool, ...]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    def schema(self, name: str) -> dict[str, object] | None:
        """What a tool takes, some of it perhaps as headers too."""
        tool = self._tools.get(name)
        return None if tool is None else dict(tool.schema)

    async def list(self, context: Context, params: types.PaginatedRequestParams | None) -> types.ListToolsResult:
        """All tools."""
        listed = [tool.definition for tool in self._tools.values()]
        return types.ListToolsResult(tools=listed, ttl_ms=0, cache_scope="public")

    async def call(self, context: Context, params: types.CallToolRequestParams) -> Answer:
        """What a tool answers. Raises `MCPError` for one that there is not."""
        if params.name not in self._tools:
            raise MCPError(code=types.INVALID_PARAMS, message=f'unknown tool "{params.name}"')
        return await self._tools[params.name].run(context, params)


async def _set_level(context: Context, params: types.SetLevelRequestParams) -> types.EmptyResult:
    return types.EmptyResult()
