"""Answers as MCP results."""

from __future__ import annotations

import mcp_types as types

from gleitzeit.mcp_server.rendering.answer import SIZE, Answer, Whole

_LINKS_SINCE = "2025-06-18"
_AUDIO_SINCE = "2025-03-26"


def call_result(answer: Answer, version: str) -> types.CallToolResult:
    """What a tool has answered, for a client that speaks this version; a part has a link to the whole."""
    if answer.result is not None:
        blocks = [_understood(block, version) for block in answer.result.content]
        return answer.result.model_copy(update={"content": blocks})
    content: list[types.ContentBlock] = [types.TextContent(type="text", text=answer.text)]
    if answer.whole is not None and version >= _LINKS_SINCE:
        content.append(_link(answer.whole))
    return types.CallToolResult(
        content=content,
        structured_content=answer.data,
        is_error=answer.failed,
        _meta=None if answer.whole is None else {SIZE: answer.whole.size},
    )


def _understood(block: types.ContentBlock, version: str) -> types.ContentBlock:
    """A block as it came, or in words where the client's version has no such blocks."""
    if isinstance(block, types.ResourceLink) and version < _LINKS_SINCE:
        return types.TextContent(type="text", text=f"{block.name}: {block.uri}")
    if isinstance(block, types.AudioContent) and version < _AUDIO_SINCE:
        return types.TextContent(type="text", text=f"(audio, {block.mime_type}, which this client can't take)")
    return block


def _link(whole: Whole) -> types.ResourceLink:
    return types.ResourceLink(uri=whole.uri, name=whole.name, mime_type="application/json", size=whole.size)
