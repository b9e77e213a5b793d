"""`llm/generate` and `llm/embeddings` on a real server."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from gleitzeit.core.errors import ProviderError, ValidationError

pytestmark = [pytest.mark.ollama, pytest.mark.anyio]

Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]

PROMPT = "Complete this: Once upon a time"


async def test_a_prompt_is_gone_on_with(call: Call) -> None:
    result = await call("llm/generate", prompt=PROMPT, temperature=0, max_tokens=8)
    assert result["response"].strip()
    assert result["usage"]["completion_tokens"] == 8
    assert (result["done_reason"], result["model"]) == ("length", "smollm2:135m")


async def test_a_base_model_goes_on_with_the_raw_text(call: Call) -> None:
    result = await call(
        "llm/generate", model="gemma3:270m", prompt="Roses are red, violets are", raw=True, temperature=0, max_tokens=2
    )
    assert "blue" in result["response"]


async def test_the_context_that_is_returned_can_be_gone_on_from(call: Call) -> None:
    first = await call("llm/generate", prompt=PROMPT, temperature=0, max_tokens=4, context=[])
    second = await call("llm/generate", prompt="Go on.", temperature=0, max_tokens=4, context=first["context"])
    assert second["usage"]["prompt_tokens"] > first["usage"]["prompt_tokens"]


async def test_a_list_of_prompts_is_answered_in_its_order(call: Call) -> None:
    prompts = ["What is the capital of France?", "What is the capital of Italy?"]
    answers = (await call("llm/generate", prompt=prompts, temperature=0, max_tokens=12))["results"]
    assert ["Paris" in answers[0]["response"], "Rome" in answers[1]["response"]] == [True, True]


@pytest.mark.parametrize(("model", "width"), [("smollm2:135m", 576), ("gemma3:270m", 640)])
async def test_a_text_becomes_as_many_numbers_as_the_model_has(call: Call, model: str, width: int) -> None:
    result = await call("llm/embeddings", model=model, text="Text to embed")
    assert len(result["embedding"]) == width
    assert math.isclose(math.hypot(*result["embedding"]), 1, rel_tol=1e-3)


async def test_texts_of_a_list_become_what_each_becomes_alone(call: Call) -> None:
    texts = ["a cat", "the stock market", "a kitten"]
    together = (await call("llm/embeddings", text=texts))["embeddings"]
    for text, vector in zip(texts, together, strict=True):
        alone = (await call("llm/embeddings", text=text))["embedding"]
        assert sum(one * other for one, other in zip(alone, vector, strict=True)) > 0.999


async def test_a_stream_that_ends_without_done_is_a_failure(call: Call) -> None:
    # Ollama cuts a model off that says the same token for the 31st time, and says nothing of it.
    repeating = {"messages": " ".join("a" * 24), "max_tokens": 60, "options": {"repeat_penalty": 1.0}}
    with pytest.raises(ProviderError, match="ended before done"):
        await call("llm/chat", model="gemma3:270m", temperature=0, **repeating)


async def test_what_is_no_option_is_refused_before_it_is_sent(call: Call) -> None:
    with pytest.raises(ValidationError, match="temperatur"):
        await call("llm/generate", prompt=PROMPT, options={"temperatur": 1})
