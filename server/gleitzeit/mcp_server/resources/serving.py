"""The requests about resources."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from gleitzeit.core.errors import NotFoundError
from gleitzeit.mcp_server.access.caller import caller_of
from gleitzeit.mcp_server.face import Face
from gleitzeit.mcp_server.protocol_errors import protocol_errors
from gleitzeit.mcp_server.rendering.answer import SIZE, size
from gleitzeit.mcp_server.resources.addresses import parse_address
from gleitzeit.mcp_server.resources.listing import TEMPLATES, page_of

_NOT_FOUND = -32002
"""What clients of the handshake era know a missing resource by; later ones know it by invalid parameters."""

_HOUR = 3_600_000
_LONGEST_URI = 200

Context = ServerRequestContext[Face, Any]


def serve_resources(server: Server[Face]) -> None:
    """Have `server` list and read the resources of whoever asks."""
    server.add_request_handler("resources/list", types.PaginatedRequestParams, _list)
    server.add_request_handler("resources/templates/list", types.PaginatedRequestParams, _list_templates)
    server.add_request_handler("resources/read", types.ReadResourceRequestParams, _read)


async def _list(context: Context, params: types.PaginatedRequestParams) -> types.ListResourcesResult:
    with protocol_errors():
        application = await context.lifespan_context.application.opened()
        page = await page_of(application, caller_of(context), params.cursor)
    return types.ListResourcesResult(resources=list(page.resources), next_cursor=page.cursor)


async def _list_templates(context: Context, _: types.PaginatedRequestParams) -> types.ListResourceTemplatesResult:
    return types.ListResourceTemplatesResult(resource_templates=list(TEMPLATES), ttl_ms=_HOUR, cache_scope="public")


async def _read(context: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    address = parse_address(params.uri)
    if address is None:
        raise _missing(context, params.uri)
    from gleitzeit.mcp_server.resources.contents import content_at  # it brings the application

    with protocol_errors():
        application = await context.lifespan_context.application.opened()
        try:
            content = await content_at(application, address, caller_of(context))
        except NotFoundError as error:
            raise _missing(context, params.uri) from error
    contents = types.TextResourceContents(
        uri=params.uri, mime_type=content.mime_type, text=content.text, _meta={SIZE: size(content.text)}
    )
    return types.ReadResourceResult(
        contents=[contents], ttl_ms=content.fresh, cache_scope="public" if content.shared else "private"
    )


def _missing(context: Context, uri: str) -> MCPError:
    """The same for what never was, is another caller's, or is written in a way that we do not read."""
    modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
    code = types.INVALID_PARAMS if modern else _NOT_FOUND
    return MCPError(code=code, message="there is no such resource", data={"uri": uri[:_LONGEST_URI]})
