"""`llm/chat`: what it takes and returns, and the request to Ollama that its parameters make."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.errors import ValidationError
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.core.schema import check_schema
from gleitzeit_ollama.messages import MESSAGES_SCHEMA, wire_messages
from gleitzeit_ollama.options import SAMPLING_SCHEMA, model_options

CHAT = "llm/chat"

_DURATION = {"type": ["number", "string"]}

_PARAMETERS: Mapping[str, Any] = {
    "messages": MESSAGES_SCHEMA,
    **SAMPLING_SCHEMA,
    "format": {
        "type": ["string", "object"],
        "description": '"json", or the JSON Schema that the answer has to fit; its value then stands under `parsed`.',
    },
    "tools": {
        "type": "array",
        "items": {"type": "object"},
        "description": "Functions that the model may ask for, as {type: function, function: {name, parameters}}.",
    },
    "think": {
        "type": ["boolean", "string"],
        "description": "Whether a thinking model thinks first; low, medium, high or max where it knows degrees.",
    },
    "keep_alive": {
        **_DURATION,
        "description": 'How long the model stays loaded: seconds, or "5m"; below 0 for ever, 0 not at all.',
    },
    "timeout": {"type": "number", "exclusiveMinimum": 0, "description": "Seconds that the whole answer may take."},
}

_RETURNS: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "response": {"type": "string", "description": "The text of the answer."},
        "message": {"type": "object", "description": "The answer as a message, to go on with."},
        "model": {"type": "string"},
        "done_reason": {"type": ["string", "null"], "description": "stop, or length where max_tokens cut it off."},
        "usage": {
            "type": "object",
            "properties": {"prompt_tokens": {"type": "integer"}, "completion_tokens": {"type": "integer"}},
            "required": ["prompt_tokens", "completion_tokens"],
        },
        "tool_calls": {"type": "array", "items": {"type": "object"}},
        "parsed": {"description": "The answer as data, where `format` was given."},
    },
    "required": ["response", "message", "model", "done_reason", "usage"],
}


def llm_protocol(models: Mapping[str, str]) -> Protocol:
    """The protocol `llm/v1` for a configuration with these model names; without a default, calls have to name one."""
    spec = MethodSpec(
        description="Answer a conversation with a local language model (Ollama).",
        parameters={
            "type": "object",
            "properties": {"model": _model_schema(models), **_PARAMETERS},
            "required": ["messages"] if "default" in models else ["model", "messages"],
            "additionalProperties": False,
        },
        returns=_RETURNS,
        idempotent=True,
        capabilities=("streaming",),
    )
    return Protocol("llm/v1", "Language models", "1.0.0", "Language models that run on your own machines", {CHAT: spec})


def _model_schema(models: Mapping[str, str]) -> dict[str, Any]:
    names = "; ".join(f"{alias} is {model}" for alias, model in models.items())
    schema: dict[str, Any] = {
        "type": "string",
        "minLength": 1,
        "description": f"A model of Ollama{f', or one of these names: {names}' if names else ''}.",
    }
    return {**schema, "default": "default"} if "default" in models else schema


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One chat as Ollama is asked for it; `format` is what the answer has to be read as, `timeout` its limit."""

    payload: Mapping[str, Any]
    format: str | Mapping[str, Any] | None = None
    timeout: float | None = None

    @property
    def model(self) -> str:
        """The name that Ollama knows the model by."""
        return str(self.payload["model"])

    @property
    def most_tokens(self) -> int | None:
        """The longest answer it can have, where there is a limit."""
        limit = self.payload["options"].get("num_predict", -1)
        return int(limit) if limit > 0 else None

    @classmethod
    def of(
        cls, parameters: Mapping[str, Any], models: Mapping[str, str], keep_alive: float | str | None = None
    ) -> ChatRequest:
        """The request that parameters, already checked against the schema, make.

        Raises `ValidationError` for what a schema cannot say.
        """
        model = parameters.get("model", "default")
        payload = {
            "model": models.get(model, model),
            "messages": wire_messages(parameters["messages"]),
            "stream": True,
            "options": model_options(parameters),
            "keep_alive": _duration(parameters.get("keep_alive", keep_alive)),
            **{name: parameters[name] for name in ("format", "tools", "think") if name in parameters},
        }
        _check_format(parameters.get("format"))
        kept = {name: value for name, value in payload.items() if value is not None}
        return cls(kept, parameters.get("format"), parameters.get("timeout"))


def _duration(value: float | str | None) -> float | str | None:
    """Seconds or a text with a unit; Ollama takes a text without one for a mistake."""
    try:
        return float(value) if isinstance(value, str) else value
    except ValueError:
        return value


def _check_format(answer_format: Any) -> None:
    if isinstance(answer_format, str) and answer_format != "json":
        raise ValidationError(f'{CHAT}: format: "{answer_format}" is neither "json" nor a JSON Schema')
    if isinstance(answer_format, Mapping):
        problems = [f"{path}: {message}" if path else message for path, message in check_schema(answer_format)]
        if problems:
            raise ValidationError(f"{CHAT}: format is not a JSON Schema: {'; '.join(problems)}")
