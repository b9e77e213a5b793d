"""JSON Schemas of what the tools take and return; every byte of them stands in a model's context."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# Written out: the models would cost more than the rest of the first answer. A test holds them together.
RUN_STATES = ("pending", "running", "waiting", "completed", "failed", "cancelled")
DECISIONS = ("rerun", "skip", "completed", "failed")
LONGEST_WAIT = 45

JSONSchema = Mapping[str, Any]


def arguments(properties: Mapping[str, Any], required: tuple[str, ...]) -> dict[str, Any]:
    """The schema of a tool's arguments, in which no other name is allowed."""
    schema: dict[str, Any] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema


def waiting(default: int) -> JSONSchema:
    """The schema of a number of seconds to wait; hosts cut off calls that take longer."""
    return {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT, "default": default}


def result(**properties: JSONSchema) -> JSONSchema:
    """The schema of a result: any of these fields may be absent, and others, such as `error`, may be there."""
    return {"type": "object", "properties": properties}


_TEXT: JSONSchema = {"type": "string"}
_OBJECT: JSONSchema = {"type": "object"}
_LIST: JSONSchema = {"type": "array"}
_COUNT: JSONSchema = {"type": "integer"}

WORKFLOW: Mapping[str, Any] = {"type": ["string", "object"], "description": "YAML text, or the same as an object"}

DOCUMENT: Mapping[str, Any] = {
    "workflow": WORKFLOW,
    "name": {"type": "string", "description": "a saved workflow"},
    "path": {"type": "string", "description": "a workflow file inside files.roots"},
    "inputs": {"type": "object", "default": {}},
}

_RUN: Mapping[str, JSONSchema] = {
    "run_id": _TEXT,
    "status": _TEXT,
    "outputs": _OBJECT,
    "preview": _OBJECT,
    "next": _TEXT,
}

RUN = result(**_RUN)
VALUE = result(value={}, matches=_LIST, total=_COUNT, next_offset=_COUNT, next=_TEXT)
INSPECTION = result(
    **_RUN,
    name=_TEXT,
    counts=_OBJECT,
    tasks=_LIST,
    events=_LIST,
    last_seq=_COUNT,
    document=_OBJECT,
)
SAVED = result(name=_TEXT, version=_COUNT)
SAVED_LIST = result(workflows=_LIST, document=_OBJECT)
RUN_LIST = result(runs=_LIST, cursor=_TEXT)
VALIDATION = result(
    valid={"type": "boolean"},
    diagnostics=_LIST,
    inputs=_OBJECT,
    plan=_LIST,
    mermaid=_TEXT,
)
METHODS = result(methods=_LIST, total=_COUNT, providers=_LIST, servers=_LIST)
