"""What all methods that give text take and return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit_ollama.methods.formats import FORMAT_SCHEMA
from gleitzeit_ollama.methods.options import SAMPLING_SCHEMA

TEXT_SCHEMA: Mapping[str, Any] = {
    **SAMPLING_SCHEMA,
    "format": FORMAT_SCHEMA,
    "think": {
        "type": ["boolean", "string"],
        "description": "Whether a thinking model thinks first; low, medium, high or max where it knows degrees.",
    },
    "truncate": {"type": "boolean", "description": "Whether a prompt that is too long is cut, or refused."},
    "shift": {"type": "boolean", "description": "Whether the oldest text makes room once the context is full."},
    "logprobs": {"type": "boolean", "description": "Whether the likelihood of each token is returned."},
    "top_logprobs": {
        "type": "integer",
        "minimum": 0,
        "maximum": 20,
        "description": "The likelihoods of so many other tokens in each place.",
    },
}

TEXT_RETURNS: Mapping[str, Any] = {
    "response": {"type": "string", "description": "The text of the answer."},
    "model": {"type": "string"},
    "done_reason": {"type": ["string", "null"], "description": "stop, or length where max_tokens cut it off."},
    "usage": {
        "type": "object",
        "properties": {"prompt_tokens": {"type": "integer"}, "completion_tokens": {"type": "integer"}},
        "required": ["prompt_tokens", "completion_tokens"],
    },
    "parsed": {"description": "The answer as data, where `format` was given."},
    "thinking": {"type": "string", "description": "What a thinking model thought before it answered."},
    "logprobs": {"type": "array", "items": {"type": "object"}},
    "results": {
        "type": "array",
        "items": {"type": "object"},
        "description": "Only of a batch: the result of each item in its place, or {error} of one that failed.",
    },
}
