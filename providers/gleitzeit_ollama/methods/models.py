"""`llm/models`: which models there are, on which nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core.protocol import MethodSpec

MODELS = "llm/models"

_NAMES: Mapping[str, Any] = {"type": "array", "items": {"type": "string"}}

_MODEL: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "size": {"type": ["integer", "null"], "description": "Bytes on disk."},
        "nodes": {**_NAMES, "description": "The nodes that have it."},
        "loaded": {**_NAMES, "description": "Those of them that have it in memory now."},
        "aliases": {**_NAMES, "description": "Names that the configuration has for it."},
        "digest": {"type": ["string", "null"]},
        "details": {"type": "object", "description": "Its family, its number of parameters, how it is quantised."},
    },
}

_NODE: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "node": {"type": "string"},
        "state": {"enum": ["unknown", "healthy", "trial", "down"]},
        "version": {"type": ["string", "null"]},
        "error": {"type": ["string", "null"], "description": "Why it is not healthy."},
        "weight": {"type": "number"},
        "max_parallel": {"type": ["integer", "null"]},
        "in_flight": {"type": "object", "description": "Requests that it answers now, by model."},
        "service_seconds": {"type": "object", "description": "What a request takes there on average, by model."},
        "models": {**_NAMES, "description": "The models that it has."},
        "loaded": {**_NAMES, "description": "Those of them in its memory."},
    },
}

MODELS_SPEC = MethodSpec(
    description="List the local language models (Ollama): installed where, loaded where, and how each node stands.",
    parameters={"type": "object", "properties": {}, "additionalProperties": False},
    returns={
        "type": "object",
        "properties": {
            "models": {"type": "array", "items": _MODEL},
            "count": {"type": "integer"},
            "nodes": {"type": "array", "items": _NODE},
            "hint": {"type": "string", "description": "What to do, where there is no model to be used."},
        },
        "required": ["models", "count", "nodes"],
    },
    read_only=True,
    idempotent=True,
)
