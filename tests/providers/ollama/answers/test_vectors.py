"""Vectors come from a foreign server: what is none is told as such."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import ProviderError
from gleitzeit_ollama.answers.vectors import prompt_tokens, vectors


def test_vectors_are_lists_of_numbers_as_they_came() -> None:
    found = [[0.5, -1], [2, 3.25]]
    assert vectors({"embeddings": found}, 2) == found
    assert vectors({"embeddings": []}, 0) == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({}, "its embeddings are null, not a list"),
        ({"embeddings": {"0": [1.0]}}, "its embeddings are an object, not a list"),
        ({"embeddings": [[1.0]]}, "it gave 1 embeddings for 2 texts"),
        ({"embeddings": [[1.0], []]}, "embedding 1 is no list of numbers"),
        ({"embeddings": [[1.0], None]}, "embedding 1 is no list of numbers"),
        ({"embeddings": [[1.0], ["x"]]}, "embedding 1 is no list of numbers"),
        ({"embeddings": [[1.0, 2.0], [1.0]]}, "embedding 1 has 1 numbers, and the first has 2"),
        ({"embeddings": [[True], [1.0]]}, "embedding 0 is no list of numbers"),
    ],
)
def test_what_is_none_is_told_and_not_asked_for_again(answer: dict[str, Any], said: str) -> None:
    with pytest.raises(ProviderError, match=said) as raised:
        vectors(answer, 2)
    assert not raised.value.retryable


def test_a_count_that_is_left_out_is_nothing() -> None:
    assert prompt_tokens({"prompt_eval_count": 7}) == 7
    assert prompt_tokens({}) == prompt_tokens({"prompt_eval_count": None}) == 0
    assert prompt_tokens({"prompt_eval_count": -7}) == prompt_tokens({"prompt_eval_count": True}) == 0
