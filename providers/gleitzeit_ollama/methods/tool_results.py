"""What a tool of an MCP server answered, as a model reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from gleitzeit.core.data import is_list, is_mapping

MOST_CHARACTERS = 20_000
"""How long a result may be for the model to read it whole."""


def told(result: Any) -> str:
    """A tool's result as the model reads it: its text, or its data as compact JSON; cut where it is too long."""
    fields = result if is_mapping(result) else {"result": result}
    text, content = fields.get("text"), fields.get("content")
    data = {name: value for name, value in fields.items() if name not in ("text", "content")}
    is_text = isinstance(text, str) and text.strip() and not (data and text.lstrip().startswith("{"))
    said = str(text) if is_text else json.dumps(data, ensure_ascii=False, separators=(",", ":")) if data else ""
    parts = [said, *_others(content)]
    return cut("\n".join(part for part in parts if part) or "(no result)")


def cut(text: str) -> str:
    """The beginning of a text, with a note of how much is missing, where it is longer than a model should read."""
    if len(text) <= MOST_CHARACTERS:
        return text
    return f"{text[:MOST_CHARACTERS]}\n[cut off: {MOST_CHARACTERS:,} of {len(text):,} characters]"


def _others(content: Any) -> Iterator[str]:
    """The blocks of a result that are no text, each by what it is."""
    for block in content if is_list(content) else ():
        if not is_mapping(block) or block.get("type") == "text":
            continue
        resource = block.get("resource")
        held = resource if is_mapping(resource) else block
        if isinstance(held.get("text"), str):
            yield str(held["text"])
        else:
            known = [str(held[key]) for key in ("uri", "mimeType") if held.get(key)]
            yield f"[{' '.join([str(block.get('type')), *known])}]"
