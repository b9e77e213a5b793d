"""Parameters that all methods have: which model, how long it stays loaded, how long an answer may take."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from gleitzeit_ollama.settings import OllamaSettings

# The configured name that a method uses where a call names no model, before `default`.
_OWN_DEFAULTS: Mapping[str, str] = {"llm/vision": "vision"}

COMMON_SCHEMA: Mapping[str, Any] = {
    "keep_alive": {
        "type": ["number", "string"],
        "description": 'How long the model stays loaded: seconds, or "5m"; below 0 for ever, 0 not at all.',
    },
    "timeout": {
        "type": "number",
        "exclusiveMinimum": 0,
        "description": "Seconds that an answer may take, from asking for it to its end.",
    },
}


def default_name(method: str, models: Mapping[str, str]) -> str | None:
    """The configured name of the model that is used where a call names none, if there is one."""
    return next((name for name in (_OWN_DEFAULTS.get(method), "default") if name in models), None)


def model_name(method: str, parameters: Mapping[str, Any], models: Mapping[str, str]) -> str:
    """The model that a call means, by the name that Ollama knows it by."""
    name = parameters.get("model") or default_name(method, models) or "default"
    return models.get(name, name)


def model_schema(method: str, models: Mapping[str, str]) -> dict[str, Any]:
    """The schema of `model`, which tells the configured names."""
    names = "; ".join(f"{alias} is {model}" for alias, model in models.items())
    schema: dict[str, Any] = {
        "type": "string",
        "minLength": 1,
        "description": f"A model of Ollama{f', or one of these names: {names}' if names else ''}.",
    }
    default = default_name(method, models)
    if default is None:
        words = f"{schema['description']} It may be left out once providers.ollama.models.default names one."
        return {**schema, "description": words}
    return {**schema, "default": default}


def parameter_schema(
    method: str, models: Mapping[str, str], own: Mapping[str, Any], required: tuple[str, ...] = (), **rest: Any
) -> dict[str, Any]:
    """The schema of all parameters of a method: `model`, its `own` ones, and those that all methods have.

    A model has to be named where the configuration names none for the method.
    """
    needed = required if default_name(method, models) is not None else ("model", *required)
    return {
        "type": "object",
        "properties": {"model": model_schema(method, models), **own, **COMMON_SCHEMA},
        "required": list(needed),
        "additionalProperties": False,
        **rest,
    }


def keep_alive(parameters: Mapping[str, Any], settings: OllamaSettings) -> float | str | None:
    """How long the model stays loaded after a call: seconds, or a text with a unit."""
    value: float | str | None = parameters.get("keep_alive", settings.keep_alive)
    try:
        seconds = float(value) if isinstance(value, str) else value  # Ollama takes a text without a unit for a mistake
    except ValueError:
        return value
    if isinstance(seconds, float) and not math.isfinite(seconds):
        return str(value)  # which is a mistake as well
    return seconds
