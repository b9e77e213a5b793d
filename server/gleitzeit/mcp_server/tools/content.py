"""What a tool of a downstream server has answered, passed on as it came."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import mcp_types as types
from pydantic import TypeAdapter
from pydantic import ValidationError as MisshapenError

from gleitzeit.core.data import is_list, is_mapping
from gleitzeit.core.errors import ToolFailedError
from gleitzeit.core.models import Run, TaskResult
from gleitzeit.mcp_server.rendering.answer import Answer, compact, plain, size
from gleitzeit.mcp_server.tools.outcome import method_answer

_BLOCK: TypeAdapter[types.ContentBlock] = TypeAdapter(types.ContentBlock)


def server_answer(run: Run, budget: int) -> Answer:
    """The tool's own content, or its own words where it failed; of a run that is not over, how it stands.

    Text that is larger than the budget is told as that of any other run: shortened, and with where to read the rest.
    """
    answer = method_answer(run, budget)
    task = next(iter(run.tasks.values()))
    result = _failed(task) if run.status == "failed" else _completed(task, budget)
    return answer if result is None else Answer(answer.text, answer.data, answer.failed, result=result)


def _failed(task: TaskResult) -> types.CallToolResult | None:
    if task.error is None or task.error.code != ToolFailedError.code:
        return None
    return types.CallToolResult(content=[_text(task.error.message)], is_error=True)


def _completed(task: TaskResult, budget: int) -> types.CallToolResult | None:
    if task.status != "completed" or not is_mapping(task.result):
        return None
    blocks: Any = task.result.get("content")
    if not is_list(blocks):
        return None
    content = [_block(plain(block)) for block in blocks]
    structured = _structured(task.result)
    words = sum(size(block.text) for block in content if isinstance(block, types.TextContent))
    if words + size(compact(structured or {})) > budget:
        return None
    meta: Any = task.metadata.get("meta")
    return types.CallToolResult(
        content=content, structured_content=structured, _meta=plain(meta) if is_mapping(meta) else None
    )


def _structured(result: Mapping[str, Any]) -> dict[str, Any] | None:
    """The fields that are neither the text nor the blocks; none where they only are what the text says."""
    blocks: Any = result.get("content")
    words = "\n".join(str(block.get("text")) for block in blocks if is_mapping(block) and block.get("type") == "text")
    fields = {key: value for key, value in result.items() if key != "content" and (key != "text" or value != words)}
    return plain(fields) if fields and not _says(words, fields) else None


def _says(words: str, fields: Mapping[str, Any]) -> bool:
    try:
        return bool(json.loads(words) == fields)
    except (ValueError, RecursionError):
        return False


def _block(block: Any) -> types.ContentBlock:
    """The block as it came; what no host would understand is text to it."""
    try:
        return _BLOCK.validate_python(block)
    except MisshapenError:
        return _text(compact(block))


def _text(words: str) -> types.TextContent:
    return types.TextContent(type="text", text=words)
