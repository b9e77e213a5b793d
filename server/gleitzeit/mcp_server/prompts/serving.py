"""The requests about prompts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext

from gleitzeit.mcp_server.access.caller import caller_of
from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.prompts.catalog import PROMPTS, WRITE_WORKFLOW, checked_arguments
from gleitzeit.mcp_server.protocol_errors import protocol_errors

_HOUR = 3_600_000

Context = ServerRequestContext[Face, Any]


def serve_prompts(server: Server[Face]) -> None:
    """Have `server` list the prompts, and fill them in with what there is now."""
    server.add_request_handler("prompts/list", types.PaginatedRequestParams, _list)
    server.add_request_handler("prompts/get", types.GetPromptRequestParams, _get)


async def _list(context: Context, _: types.PaginatedRequestParams) -> types.ListPromptsResult:
    return types.ListPromptsResult(prompts=list(PROMPTS.values()), ttl_ms=_HOUR, cache_scope="public")


async def _get(context: Context, params: types.GetPromptRequestParams) -> types.GetPromptResult:
    with protocol_errors():
        given = checked_arguments(params.name, params.arguments or {})
        text = await _text(context, params.name, given)
    message = types.PromptMessage(role="user", content=types.TextContent(type="text", text=text))
    return types.GetPromptResult(description=PROMPTS[params.name].description, messages=[message])


async def _text(context: Context, name: str, given: Mapping[str, str]) -> str:
    application = await context.lifespan_context.application.opened()
    if name == WRITE_WORKFLOW:
        from gleitzeit.mcp_server.prompts.writing import writing_prompt  # these two bring the application

        return await writing_prompt(application, given["goal"], given.get("method"))
    from gleitzeit.mcp_server.prompts.debugging import debugging_prompt

    return await debugging_prompt(application, given["run_id"], caller_of(context))
