"""`llm/embeddings`: what it takes and returns, and the requests to Ollama that a list of texts becomes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.data import is_list
from gleitzeit.core.errors import ValidationError
from gleitzeit.core.protocol import MethodSpec
from gleitzeit_ollama.methods.asked import Asked
from gleitzeit_ollama.methods.options import OPTIONS_SCHEMA
from gleitzeit_ollama.methods.parameters import keep_alive, model_name, parameter_schema
from gleitzeit_ollama.methods.wording import as_text
from gleitzeit_ollama.settings import OllamaSettings

EMBEDDINGS = "llm/embeddings"
EMBED_PATH = "/api/embed"

MOST_TEXTS = 16
MOST_CHARACTERS = 16 * 1024
"""How much one request holds at most: its node is silent until all of it is done, and one bad text spoils the rest."""

_TEXT = "The text, or a list of texts; other data is embedded as JSON."

_PARAMETERS: Mapping[str, Any] = {
    "text": {"description": _TEXT},
    "input": {"description": "The same as `text`, by the name that Ollama has for it."},
    "truncate": {"type": "boolean", "description": "Whether a text too long for the model is cut (default), or fails."},
    "dimensions": {"type": "integer", "minimum": 1, "description": "How many numbers, for models that can have fewer."},
    "options": OPTIONS_SCHEMA,
}

_VECTOR: Mapping[str, Any] = {"type": "array", "items": {"type": "number"}}

_RETURNS: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "embedding": {**_VECTOR, "description": "The numbers of the text, where there was one text."},
        "embeddings": {
            "type": "array",
            "items": {**_VECTOR, "type": ["array", "null"]},
            "description": "Those of each text of a list, in its order; null for one that failed.",
        },
        "errors": {
            "type": "array",
            "items": {"type": "object"},
            "description": "Only if texts of a list failed: {index, code, message, hint, retryable} of each.",
        },
        "model": {"type": "string"},
        "usage": {
            "type": "object",
            "properties": {"prompt_tokens": {"type": "integer"}},
            "required": ["prompt_tokens"],
        },
    },
    "required": ["model", "usage"],
}


def embeddings_spec(models: Mapping[str, str]) -> MethodSpec:
    """The method for a configuration with these model names."""
    either = [{"required": ["text"]}, {"required": ["input"]}]
    return MethodSpec(
        description="Turn text, or a list of texts, into vectors of numbers with a local model (Ollama).",
        parameters=parameter_schema(EMBEDDINGS, models, _PARAMETERS, anyOf=either),
        returns=_RETURNS,
        idempotent=True,
        capabilities=("batch", "caching"),
    )


@dataclass(frozen=True, slots=True)
class Texts:
    """What is to be embedded: `given`, or that one alone where it is no list, and what goes with each request."""

    given: Sequence[Any]
    alone: bool
    common: Mapping[str, Any]

    @classmethod
    def of(cls, parameters: Mapping[str, Any], settings: OllamaSettings) -> Texts:
        """What parameters, already checked against the schema, ask for.

        Raises `ValidationError` where they name no text, or name it twice.
        """
        names = [name for name in ("text", "input") if name in parameters]
        if len(names) != 1:
            said = "text and input are the same, give one" if names else "text is missing"
            raise ValidationError(f"{EMBEDDINGS}: {said}")
        value = parameters[names[0]]
        common = {
            "model": model_name(EMBEDDINGS, parameters, settings.models),
            "keep_alive": keep_alive(parameters, settings),
            **{name: parameters[name] for name in ("truncate", "dimensions", "options") if name in parameters},
        }
        kept = {name: item for name, item in common.items() if item is not None}
        alone = not is_list(value)
        return cls([value] if alone else value, alone, kept)

    @property
    def model(self) -> str:
        """The name that Ollama knows the model by."""
        return str(self.common["model"])

    def text(self, index: int) -> str:
        """One of the texts. Raises `ValidationError` where there is nothing to embed."""
        value = self.given[index]
        text = as_text(value)
        if not text:  # Ollama fails with status 500, as if the node were to blame
            place = "text" if self.alone else f"text[{index}]"
            said = f"{EMBEDDINGS}: {place} is {'null' if value is None else 'empty'}"
            raise ValidationError(said, hint="a reference to a task that was skipped or failed is null")
        return text

    def asked(self, texts: Sequence[str]) -> Asked:
        """The request for some of them."""
        return Asked(EMBEDDINGS, EMBED_PATH, {**self.common, "input": list(texts)})


@dataclass(frozen=True, slots=True)
class Chunk:
    """Texts of one request, each with its place in the whole list."""

    places: tuple[int, ...]
    texts: tuple[str, ...]

    def halves(self) -> tuple[Chunk, Chunk]:
        """The same in two requests."""
        middle = len(self.places) // 2
        first = Chunk(self.places[:middle], self.texts[:middle])
        return first, Chunk(self.places[middle:], self.texts[middle:])


def chunks(texts: Sequence[tuple[int, str]], places: int) -> Iterator[Chunk]:
    """The texts, each with its place, in requests that are small, and enough for all `places` to have one."""
    most = max(1, min(MOST_TEXTS, math.ceil(len(texts) / places)))
    start, size = 0, 0
    for end, (_, text) in enumerate(texts):
        if end > start and (end - start >= most or size + len(text) > MOST_CHARACTERS):
            yield _chunk(texts[start:end])
            start, size = end, 0
        size += len(text)
    if start < len(texts):
        yield _chunk(texts[start:])


def _chunk(texts: Sequence[tuple[int, str]]) -> Chunk:
    places, words = zip(*texts, strict=True)
    return Chunk(places, words)
