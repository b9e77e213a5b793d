"""Resources with fixed addresses, and what a client gets for any other."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from tests.conformance.server.contents import PNG

from gleitzeit.mcp_server.server import Context

_NOT_FOUND = -32002  # in the handshake era; later it is a parameter like any other

_TEXT = types.TextResourceContents(
    uri="test://static-text", mime_type="text/plain", text="This is the content of the static text resource."
)
_BINARY = types.BlobResourceContents(uri="test://static-binary", mime_type="image/png", blob=PNG)
_WATCHED = types.TextResourceContents(uri="test://watched-resource", mime_type="text/plain", text="Watch me.")
_FIXED = {contents.uri: contents for contents in (_TEXT, _BINARY, _WATCHED)}
_TEMPLATE = re.compile(r"test://template/([^/]+)/data")


async def list_resources(context: Context, params: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
    """Those that have a fixed address."""
    resources = [
        types.Resource(uri=uri, name=uri.removeprefix("test://"), description="For tests", mime_type=one.mime_type)
        for uri, one in _FIXED.items()
    ]
    return types.ListResourcesResult(resources=resources, ttl_ms=0, cache_scope="private")


async def list_templates(
    context: Context, params: types.PaginatedRequestParams | None
) -> types.ListResourceTemplatesResult:
    """The one template."""
    template = types.ResourceTemplate(
        uri_template="test://template/{id}/data", name="data", description="For tests", mime_type="application/json"
    )
    return types.ListResourceTemplatesResult(resource_templates=[template], ttl_ms=0, cache_scope="private")


async def read_resource(context: Context, params: types.ReadResourceRequestParams) -> types.ReadResourceResult:
    """The resource at an address. Raises `MCPError` where there is none."""
    uri = str(params.uri)
    contents = _FIXED.get(uri) or _filled_in(uri)
    if contents is None:
        modern = context.protocol_version in MODERN_PROTOCOL_VERSIONS
        code = types.INVALID_PARAMS if modern else _NOT_FOUND
        raise MCPError(code=code, message="Resource not found", data={"uri": uri})
    return types.ReadResourceResult(contents=[contents], ttl_ms=0, cache_scope="private")


async def watch(context: Context, uri: str) -> AsyncIterator[None]:
    """Never anything: these resources do not change."""
    await anyio.sleep_forever()
    yield


def _filled_in(uri: str) -> types.TextResourceContents | None:
    match = _TEMPLATE.fullmatch(uri)
    if match is None:
        return None
    data = {"id": match[1], "templateTest": True, "data": f"Data for ID: {match[1]}"}
    return types.TextResourceContents(uri=uri, mime_type="application/json", text=json.dumps(data))
