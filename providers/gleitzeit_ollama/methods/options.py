"""Ollama's model options: which there are, and how the parameters of a call become them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_KINDS: Mapping[str, str] = {
    "integer": "num_predict num_keep num_ctx num_batch num_gpu main_gpu num_thread num_gqa top_k seed repeat_last_n "
    "mirostat draft_num_predict",
    "number": "temperature top_p min_p typical_p tfs_z repeat_penalty presence_penalty frequency_penalty mirostat_tau "
    "mirostat_eta rope_frequency_base rope_frequency_scale",
    "boolean": "penalize_newline numa low_vram f16_kv logits_all vocab_only use_mmap use_mlock",
}

_TEXTS: Mapping[str, Any] = {"type": ["string", "array"], "items": {"type": "string"}}

# Ollama ignores a name that it does not know and answers a wrong type with a server error: both are told here instead.
OPTIONS_SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "description": "Ollama's own model options. A parameter of its own outweighs the option of the same meaning.",
    "properties": {
        **{name: {"type": kind} for kind, names in _KINDS.items() for name in names.split()},
        "stop": _TEXTS,
    },
    "additionalProperties": False,
}

# Ollama loads a model again where one of these is not what it was loaded with.
LOAD_OPTIONS = frozenset(
    "num_ctx num_batch num_gpu main_gpu low_vram f16_kv logits_all vocab_only use_mmap use_mlock num_thread "
    "draft_num_predict".split()
)

DEFAULT_TEMPERATURE = 0.7

SAMPLING_SCHEMA: Mapping[str, Any] = {
    "temperature": {
        "type": "number",
        "minimum": 0,
        "maximum": 2,
        "default": DEFAULT_TEMPERATURE,
        "description": "How freely it picks words: 0 picks the likeliest, 1 varies.",
    },
    "max_tokens": {"type": "integer", "minimum": 1, "description": "The longest answer, in tokens."},
    "top_p": {"type": "number", "minimum": 0, "maximum": 1, "description": "Nucleus sampling."},
    "top_k": {"type": "integer", "minimum": 0, "description": "Pick among that many of the likeliest tokens."},
    "seed": {"type": "integer", "description": "The same seed gives the same answer on the same model."},
    "stop": {**_TEXTS, "description": "Text at which the answer ends."},
    "num_ctx": {
        "type": "integer",
        "minimum": 1,
        "description": "Size of the context, in tokens. A value other than the loaded one loads the model again.",
    },
    "options": OPTIONS_SCHEMA,
}

_RENAMED: Mapping[str, str] = {"max_tokens": "num_predict"}


def model_options(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The `options` of a request, from the default, `options`, and the parameters of their own, the last winning."""
    named = {
        _RENAMED.get(name, name): parameters[name]
        for name in SAMPLING_SCHEMA
        if name != "options" and name in parameters
    }
    options = {"temperature": DEFAULT_TEMPERATURE, **parameters.get("options", {}), **named}
    if isinstance(options.get("stop"), str):
        options["stop"] = [options["stop"]]
    return options
