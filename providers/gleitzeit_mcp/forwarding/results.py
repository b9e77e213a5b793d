"""What a tool answered, as the result of a task."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gleitzeit.core.data import is_list, is_mapping, is_object, kind_of
from gleitzeit.core.errors import ToolFailedError
from gleitzeit.core.schema import schema_problems
from gleitzeit_mcp.versions import PREFIX

_SHOWN_WORDS = 4_000
_SERVER_INFO = PREFIX + "serverInfo"


def result_of(server: str, tool: str, answer: Mapping[str, Any], redact: Callable[[str], str] = str) -> dict[str, Any]:
    """The fields of the structured content at the top level, plus `text` and `content`.

    Text that is a JSON object is read so where there is no structured content. `answer` is a `tools/call` result in
    its wire form. Raises `ToolFailedError` with the tool's own words where it says that it failed.
    """
    content = _blocks(answer.get("content"))
    text = "\n".join(
        str(block.get("text", "")) for block in content if is_object(block) and block.get("type") == "text"
    )
    if answer.get("isError"):
        raise _failure(server, tool, redact(text))
    fields = _fields(answer, text)
    return {**fields, "text": fields.get("text", text), "content": fields.get("content", list(content))}


def _blocks(content: Any) -> Sequence[Any]:
    """The blocks of an answer; some servers write plain text in their place."""
    if content is None or is_list(content):
        return content or ()
    return [{"type": "text", "text": content if isinstance(content, str) else json.dumps(content)}]


def warnings_of(schema: Mapping[str, Any] | None, answer: Mapping[str, Any]) -> Sequence[str]:
    """Where an answer is not as MCP, or the schema that its tool declares, wants it; it is passed on all the same."""
    content = answer.get("content")
    misshapen = () if content is None or is_list(content) else (f"content: it is {kind_of(content)}, not a list",)
    return (*misshapen, *_misfits(schema, answer))


def _misfits(schema: Mapping[str, Any] | None, answer: Mapping[str, Any]) -> Sequence[str]:
    if schema is None or answer.get("isError"):
        return ()
    if "structuredContent" not in answer:
        return ("there is no structured content, although the tool declares an output schema",)
    found = schema_problems(schema, answer["structuredContent"])
    return tuple(f"{path or 'structuredContent'}: {message}" for path, message in found)


def meta_of(answer: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a server says about its answer, but for who it is."""
    meta = answer.get("_meta")
    return {key: value for key, value in meta.items() if key != _SERVER_INFO} if is_object(meta) else {}


def _fields(answer: Mapping[str, Any], text: str) -> Mapping[str, Any]:
    structured = answer["structuredContent"] if "structuredContent" in answer else _json_object(text)
    if is_mapping(structured):
        return structured
    return {} if structured is None else {"result": structured}


def _json_object(text: str) -> Mapping[str, Any] | None:
    if not text.lstrip().startswith("{"):
        return None
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None  # it only looked like JSON; it stays in `text`
    return value if is_object(value) else None


def _failure(server: str, tool: str, text: str) -> ToolFailedError:
    words = text.strip() or "it gave no reason"
    if len(words) > _SHOWN_WORDS:
        words = words[:_SHOWN_WORDS] + " …"
    return ToolFailedError(words, details={"server": server, "tool": tool})
