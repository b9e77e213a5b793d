"""Answers as MCP results."""

from __future__ import annotations

import logging
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError
from mcp_types.methods import serialize_server_result
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from gleitzeit.mcp_server.rendering.answer import SIZE, Answer, Whole

logger = logging.getLogger(__name__)

_LINKS_SINCE = "2025-06-18"
_AUDIO_SINCE = "2025-03-26"


def call_result(answer: Answer, version: str) -> dict[str, Any]:
    """What a tool has answered, as it is sent to a client of this version; a part has a link to the whole."""
    if answer.result is not None:
        return _foreign(answer.result, version)
    content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}]
    if answer.whole is not None and version >= _LINKS_SINCE:
        content.append(_link(answer.whole))
    result = {"content": content, "structuredContent": answer.data, "isError": answer.failed}
    if answer.whole is not None:
        result["_meta"] = {SIZE: answer.whole.size}
    return {"resultType": "complete", **result} if version in MODERN_PROTOCOL_VERSIONS else result


def _foreign(result: types.CallToolResult, version: str) -> dict[str, Any]:
    blocks = [_understood(block, version) for block in result.content]
    told = result.model_copy(update={"content": blocks}).model_dump(by_alias=True, mode="json", exclude_none=True)
    try:
        return serialize_server_result("tools/call", version, told)
    except ValidationError:
        logger.exception("a result that another server gave can't be told to a client of %s", version)
        raise MCPError(code=types.INTERNAL_ERROR, message="the result does not fit the protocol") from None


def _understood(block: types.ContentBlock, version: str) -> types.ContentBlock:
    """A block as it came, or in words where the client's version has no such blocks."""
    if isinstance(block, types.ResourceLink) and version < _LINKS_SINCE:
        return types.TextContent(type="text", text=f"{block.name}: {block.uri}")
    if isinstance(block, types.AudioContent) and version < _AUDIO_SINCE:
        return types.TextContent(type="text", text=f"(audio, {block.mime_type}, which this client can't take)")
    return block


def _link(whole: Whole) -> dict[str, Any]:
    return {
        "type": "resource_link",
        "uri": whole.uri,
        "name": whole.name,
        "mimeType": "application/json",
        "size": whole.size,
    }
