"""The HTTP headers that mirror a request, so that what stands between client and server can route it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from mcp.shared.inbound import (
    MCP_METHOD_HEADER,
    MCP_NAME_HEADER,
    MCP_PROTOCOL_VERSION_HEADER,
    NAME_BEARING_METHODS,
    encode_header_value,
    find_invalid_x_mcp_header,
    mcp_param_headers,
    x_mcp_header_map,
)

from gleitzeit.core.data import is_mapping
from gleitzeit_mcp.session.eras import Agreement

_NAMED: Mapping[str, str] = {
    **NAME_BEARING_METHODS,
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}


Schemas = Callable[[str], Mapping[str, Any] | None]


def headers_of(agreement: Agreement, schema_of: Schemas) -> Callable[[str, Mapping[str, Any]], Mapping[str, str]]:
    """The headers of a request: in the modern era also method, name, and the arguments that a tool's schema marks."""

    def of_handshake(_method: str, _params: Mapping[str, Any]) -> Mapping[str, str]:
        return {MCP_PROTOCOL_VERSION_HEADER: agreement.version}

    def of_modern(method: str, params: Mapping[str, Any]) -> Mapping[str, str]:
        mirrored = {MCP_PROTOCOL_VERSION_HEADER: agreement.version, MCP_METHOD_HEADER: method}
        name = params.get(_NAMED.get(method, ""))
        if isinstance(name, str):
            mirrored[MCP_NAME_HEADER] = encode_header_value(name)
            if method == "tools/call":
                mirrored |= _of_arguments(schema_of(name), params.get("arguments"))
        return mirrored

    return of_modern if agreement.modern else of_handshake


def _of_arguments(schema: Mapping[str, Any] | None, arguments: Any) -> Mapping[str, str]:
    if schema is None or not is_mapping(arguments) or find_invalid_x_mcp_header(schema) is not None:
        return {}
    return mcp_param_headers(x_mcp_header_map(schema), arguments)
