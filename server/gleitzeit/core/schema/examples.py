"""How a value that fits a schema may be written."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from gleitzeit.core.data import PathKey, is_list, is_mapping

_LONGEST = 300

_EXAMPLES = {
    "string": '"text"',
    "integer": "1",
    "number": "0.5",
    "boolean": "true",
    "array": "[...]",
    "object": "{...}",
    "null": "null",
}


def example_hint(schema: Mapping[str, Any], path: Sequence[PathKey]) -> str | None:
    """An example of the value at `path`, with its description; nothing where the schema does not say what it is."""
    name = next((key for key in reversed(path) if isinstance(key, str)), "")
    part = _part(schema, path)
    if part is None:
        return None
    example = example_of(part)
    description = part.get("description")
    description = description[:_LONGEST] if isinstance(description, str) else None
    told = f"{name}: {description}" if description else None
    if example is None:
        return told
    written = f"[{example}]" if path and isinstance(path[-1], int) else example
    return f"write {name}: {written}" + (f" ({description})" if told else "")


def example_of(schema: Mapping[str, Any]) -> str | None:
    """A value that fits, as JSON; nothing where the schema does not say what it is."""
    for key in ("examples", "enum"):
        values = schema.get(key)
        if is_list(values) and values:
            return _written(values[0])
    for key in ("const", "default", "minimum", "maximum"):
        if schema.get(key) is not None:
            return _written(schema[key])
    kinds = schema.get("type")
    kind = kinds[0] if is_list(kinds) and kinds else kinds
    return _EXAMPLES.get(kind) if isinstance(kind, str) else None


def _written(value: Any) -> str | None:
    """A value as JSON, unless it is too long to serve as an example."""
    text = ""
    cut = value[: _LONGEST + 1] if isinstance(value, str) else value
    for piece in json.JSONEncoder(ensure_ascii=False, default=str).iterencode(cut):
        text += piece[: _LONGEST + 1]
        if len(text) > _LONGEST:
            return None
    return text


def _part(schema: Any, path: Sequence[PathKey]) -> Mapping[str, Any] | None:
    part = schema
    for key in path:
        if not is_mapping(part):
            return None
        inner = part.get("items") if isinstance(key, int) else part.get("properties")
        part = inner if isinstance(key, int) else inner.get(key) if is_mapping(inner) else None
    return part if is_mapping(part) else None
