"""What `llm/embeddings` takes, and how its texts are shared out."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import ValidationError
from gleitzeit.core.schema import check_parameters
from gleitzeit_ollama.methods.embeddings import MOST_CHARACTERS, MOST_TEXTS, Texts, chunks, embeddings_spec
from gleitzeit_ollama.settings import OllamaSettings

SETTINGS = OllamaSettings(models={"default": "tiny"}, keep_alive="10m")
SCHEMA = embeddings_spec(SETTINGS.models).parameters


def sizes(texts: list[str], places: int) -> list[int]:
    shared = list(chunks(list(enumerate(texts)), places))
    assert [place for chunk in shared for place in chunk.places] == list(range(len(texts)))
    assert [text for chunk in shared for text in chunk.texts] == texts
    return [len(chunk.texts) for chunk in shared]


def test_a_short_list_is_shared_by_all_places_and_a_long_one_is_many_requests() -> None:
    assert sizes(["x"] * 3, 1) == [3]
    assert sizes(["x"] * 8, 4) == [2, 2, 2, 2]
    assert sizes(["x"] * 3, 4) == [1, 1, 1]
    assert sizes(["x"] * 100, 2) == [MOST_TEXTS] * 6 + [4]
    assert sizes([], 4) == []


def test_long_texts_are_few_in_a_request_and_a_very_long_one_is_alone() -> None:
    half = "x" * (MOST_CHARACTERS // 2)
    assert sizes([half] * 5, 1) == [2, 2, 1]
    assert sizes(["a", "x" * (3 * MOST_CHARACTERS), "b"], 1) == [1, 1, 1]


@pytest.mark.parametrize(
    "parameters", [{"text": "a"}, {"text": ["a", "b"]}, {"input": ["a"]}, {"text": [], "timeout": 5}]
)
def test_text_is_one_or_a_list_by_either_name(parameters: dict[str, Any]) -> None:
    check_parameters("llm/embeddings", SCHEMA, parameters)
    Texts.of(parameters, SETTINGS)


def test_a_missing_text_and_a_text_given_twice_are_told() -> None:
    with pytest.raises(ValidationError, match="text"):
        check_parameters("llm/embeddings", SCHEMA, {"model": "tiny"})
    with pytest.raises(ValidationError, match="text is missing"):
        Texts.of({}, SETTINGS)
    with pytest.raises(ValidationError, match="text and input are the same"):
        Texts.of({"text": "a", "input": "b"}, SETTINGS)


def test_a_model_has_to_be_named_where_there_is_no_default() -> None:
    with pytest.raises(ValidationError, match="model"):
        check_parameters("llm/embeddings", embeddings_spec({}).parameters, {"text": "a"})


def test_data_is_embedded_as_json() -> None:
    texts = Texts.of({"text": ["ä", {"b": [1, None]}, 3]}, SETTINGS)
    assert [texts.text(index) for index in range(3)] == ["ä", '{"b":[1,null]}', "3"]


def test_a_request_has_what_goes_along_with_every_text() -> None:
    asked = Texts.of({"text": "a", "model": "default", "options": {"num_ctx": 9}}, SETTINGS).asked(["a"])
    assert asked.payload == {"model": "tiny", "keep_alive": "10m", "options": {"num_ctx": 9}, "input": ["a"]}
    assert asked.load == (("num_ctx", 9),)
