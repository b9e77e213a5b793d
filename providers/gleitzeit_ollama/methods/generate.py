"""`llm/generate`: a text that goes on from a prompt, without a conversation around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core.errors import ValidationError
from gleitzeit.core.protocol import MethodSpec
from gleitzeit_ollama.methods.asked import GENERATE_PATH, Asked, text_request
from gleitzeit_ollama.methods.images import BATCH_IMAGES_SCHEMA, image_list
from gleitzeit_ollama.methods.parameters import parameter_schema
from gleitzeit_ollama.methods.prefixes import prompt_prefixes
from gleitzeit_ollama.methods.texts import TEXT_RETURNS, TEXT_SCHEMA
from gleitzeit_ollama.methods.wording import prompt_text
from gleitzeit_ollama.settings import OllamaSettings

GENERATE = "llm/generate"

PROMPT_SCHEMA: Mapping[str, Any] = {
    "type": ["string", "array", "object", "number", "boolean"],
    "description": "The text to answer; other data is given to the model as JSON, and a list is a batch of prompts.",
}

_OWN: Mapping[str, Any] = {
    "prompt": PROMPT_SCHEMA,
    "suffix": {"type": "string", "description": "Text that comes after the answer, for models that fill in between."},
    "system": {"type": "string", "description": "What the model is told to be, instead of what its Modelfile says."},
    "template": {"type": "string", "description": "The prompt template, instead of the model's own."},
    "raw": {"type": "boolean", "description": "Whether the prompt is given to the model as it is, without a template."},
    "context": {
        "type": "array",
        "items": {"type": "integer"},
        "description": "What an earlier call returned as `context`, to go on from there; [] to have it returned.",
    },
    "images": BATCH_IMAGES_SCHEMA,
}

_NOT_RAW = ("template", "system", "context")

_RETURNS: Mapping[str, Any] = {
    **TEXT_RETURNS,
    "context": {"type": "array", "items": {"type": "integer"}, "description": "Only where `context` was given."},
}


def generate_spec(models: Mapping[str, str]) -> MethodSpec:
    """`llm/generate` for a configuration with these model names."""
    return MethodSpec(
        GENERATE,
        "Go on from a prompt with a local language model (Ollama); a list of prompts gives `results`.",
        parameter_schema(GENERATE, models, {**_OWN, **TEXT_SCHEMA}, ("prompt",)),
        {"type": "object", "properties": _RETURNS},
        idempotent=True,
        capabilities=("streaming", "batch", "caching"),
    )


def generate_request(parameters: Mapping[str, Any], settings: OllamaSettings) -> Asked:
    """The request that one prompt makes, whose images are in base64.

    Raises `ValidationError` for what a schema cannot say.
    """
    _check_raw(parameters)
    prompt = prompt_text(GENERATE, parameters["prompt"])
    system, context = parameters.get("system"), parameters.get("context") or None
    own = {name: parameters[name] for name in ("suffix", "template", "raw") if name in parameters}
    images = image_list(GENERATE, parameters.get("images"))
    sent = {"prompt": prompt, **own, "system": system, "context": context, "images": images or None}
    keeps = ("context",) if "context" in parameters else ()
    prefix = prompt_prefixes(prompt, system, context or ())
    return text_request(GENERATE, GENERATE_PATH, parameters, settings, sent, prefix=prefix, keeps=keeps)


def _check_raw(parameters: Mapping[str, Any]) -> None:
    if not parameters.get("raw"):
        return
    beside = next((name for name in _NOT_RAW if parameters.get(name)), None)
    if beside is not None:
        raise ValidationError(
            f"{GENERATE}: raw and {beside} contradict each other",
            hint=f"write it into the prompt, or leave {beside} out",
        )
