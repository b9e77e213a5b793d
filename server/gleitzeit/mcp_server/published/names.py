"""Names that every host takes, stable for what they stand for and unlike any other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

LONGEST = 64
WORKFLOW = "wf_"
"""What the name of a saved workflow's tool begins with."""

_JOINT = "__"
_APART = "mcp_"
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]+")
_DIGITS = 8
_MARKED = re.compile(rf"_[0-9a-f]{{{_DIGITS}}}\Z")


def workflow_tool(name: str) -> str:
    """The name of a saved workflow as a tool: `wf_` and its own, where that is safe."""
    text = WORKFLOW + name
    return text if _is_plain(text, _is_plain_workflow) else _marked(text, name)


def workflow_named(tool: str) -> str | None:
    """The workflow that a tool can only mean; nothing where its name was made safe, and can't be read back."""
    return tool.removeprefix(WORKFLOW) if _is_plain(tool, _is_plain_workflow) else None


def server_tool(server: str, tool: str) -> str:
    """The name of a downstream tool: its server's and its own, where that is safe and can mean no other."""
    text = f"{server}{_JOINT}{tool}"
    apart = f"{_APART}{text}" if text.startswith(WORKFLOW) else text
    return text if _is_plain(text, _is_plain_server_tool) else _marked(apart, f"{server}\0{tool}")


def server_tool_named(tool: str) -> tuple[str, str] | None:
    """The server and the tool that a name can only mean; nothing where it was made safe."""
    if not _is_plain(tool, _is_plain_server_tool):
        return None
    server, _, own = tool.partition(_JOINT)
    return server, own


def _marked(text: str, meaning: str) -> str:
    """As much of the text as is safe, with a mark that tells what it means from all else."""
    mark = hashlib.sha256(meaning.encode(errors="surrogatepass")).hexdigest()[:_DIGITS]
    return f"{_UNSAFE.sub('_', text)[: LONGEST - _DIGITS - 1]}_{mark}"


def _is_plain(text: str, is_plain: Callable[[str], bool]) -> bool:
    """Whether a text can be a name as it is; one that looks marked can't, so that none takes the name of another."""
    return len(text) <= LONGEST and not _UNSAFE.search(text) and not _MARKED.search(text) and is_plain(text)


def _is_plain_workflow(text: str) -> bool:
    return text.startswith(WORKFLOW) and text != WORKFLOW


def _is_plain_server_tool(text: str) -> bool:
    """Whether it can be read back in one way only, and as nothing but a downstream tool."""
    server, _, tool = text.partition(_JOINT)
    clear = bool(server and tool) and _JOINT not in tool and not server.endswith("_") and not tool.startswith("_")
    return clear and not text.startswith(WORKFLOW)
