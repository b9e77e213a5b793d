"""One request to Ollama, as the parameters of a call make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.data import is_mapping
from gleitzeit_ollama.methods.formats import check_format
from gleitzeit_ollama.methods.options import LOAD_OPTIONS, model_options
from gleitzeit_ollama.methods.parameters import keep_alive, model_name
from gleitzeit_ollama.settings import OllamaSettings

CHAT_PATH = "/api/chat"
GENERATE_PATH = "/api/generate"

_PASSED_ON = ("format", "think", "truncate", "shift", "logprobs", "top_logprobs")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a call of `method` asks of Ollama: the `payload` for `path`, with the model by the name Ollama has for it.

    `format` is what the answer has to be read as, `timeout` the seconds that it may take, turn and repair included.
    `prefix` names the beginnings of the prompt, the shortest first. `keeps` are the fields that the result has beside
    those of every text: message, context.
    """

    method: str
    path: str
    payload: Mapping[str, Any]
    format: str | Mapping[str, Any] | None = None
    timeout: float | None = None
    prefix: tuple[str, ...] = ()
    keeps: tuple[str, ...] = ()

    @property
    def model(self) -> str:
        """The name that Ollama knows the model by."""
        return str(self.payload["model"])

    @property
    def options(self) -> Mapping[str, Any]:
        """The model options that are sent."""
        options = self.payload.get("options")
        return options if is_mapping(options) else {}

    @property
    def load(self) -> tuple[tuple[str, Any], ...]:
        """The options that the model has to be loaded with, by name, in order."""
        return tuple(sorted((name, value) for name, value in self.options.items() if name in LOAD_OPTIONS))

    @property
    def most_tokens(self) -> int | None:
        """The longest answer it can have, where there is a limit."""
        limit = self.options.get("num_predict", -1)
        return int(limit) if limit > 0 else None


def text_request(
    method: str,
    path: str,
    parameters: Mapping[str, Any],
    settings: OllamaSettings,
    prompt: Mapping[str, Any],
    **rest: tuple[str, ...],
) -> Asked:
    """The request for text that `prompt` and the parameters that all methods of text share make; `rest` as in `Asked`.

    Raises `ValidationError` for what a schema cannot say.
    """
    check_format(method, parameters.get("format"))
    payload = {
        "model": model_name(method, parameters, settings.models),
        **prompt,
        "stream": True,
        "options": model_options(parameters),
        "keep_alive": keep_alive(parameters, settings),
        **{name: parameters[name] for name in _PASSED_ON if name in parameters},
    }
    kept = {name: value for name, value in payload.items() if value is not None}
    return Asked(method, path, kept, parameters.get("format"), parameters.get("timeout"), **rest)
