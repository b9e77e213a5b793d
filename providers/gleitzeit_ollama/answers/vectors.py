"""The answer of `/api/embed`, which is a foreign server's and may be anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core.data import is_list, kind_of
from gleitzeit.core.errors import ProviderError
from gleitzeit_ollama.wire.foreign_json import whole

Vector = list[float]

_NUMBERS = {int, float}


def vectors(answer: Mapping[str, Any], count: int) -> list[Vector]:
    """The vectors of `count` texts, in their order. Raises `ProviderError` where they are not what was asked for."""
    found = answer.get("embeddings")
    if not is_list(found):
        raise _unusable(f"its embeddings are {kind_of(found)}, not a list")
    if len(found) != count:
        raise _unusable(f"it gave {len(found)} embeddings for {count} texts")
    for index, vector in enumerate(found):
        if not is_list(vector) or not vector or not _NUMBERS.issuperset(map(type, vector)):
            raise _unusable(f"embedding {index} is no list of numbers")
        if len(vector) != len(found[0]):
            raise _unusable(f"embedding {index} has {len(vector)} numbers, and the first has {len(found[0])}")
    return found


def prompt_tokens(answer: Mapping[str, Any]) -> int:
    """How many tokens the texts had; Ollama leaves out what is 0."""
    return whole(answer.get("prompt_eval_count"))


def _unusable(problem: str) -> ProviderError:
    return ProviderError(
        f"Ollama's answer to the texts cannot be used: {problem}",
        hint="take a model that is made for embeddings, such as nomic-embed-text, or a newer Ollama",
        retryable=False,
    )
