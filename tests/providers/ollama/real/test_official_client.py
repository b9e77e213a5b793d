"""Ours gives what Ollama's own client gives, on the same server: the same text for the same seed, the same vectors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from ollama import AsyncClient

pytestmark = [pytest.mark.ollama, pytest.mark.anyio]

Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]

MODEL = "smollm2:135m"
SAID = [{"role": "system", "content": "You are odd."}, {"role": "user", "content": "Tell me something odd."}]
PROMPT = "Complete this: Once upon a time"
SAMPLING = {"temperature": 1.2, "top_p": 0.9, "top_k": 40, "seed": 42}
OPTIONS = {**SAMPLING, "num_predict": 16}


@pytest.fixture
async def official(ollama: str) -> AsyncIterator[Any]:
    """Ollama's own client; what it is typed as is not strict enough for us."""
    client: Any = AsyncClient(host=ollama, timeout=50, trust_env=False, verify=False)
    async with client:
        yield client


async def test_a_chat(call: Call, official: Any) -> None:
    # The first of the same prompt fills the prompt's cache, which makes other roundings than those after it.
    await official.chat(MODEL, SAID, options=OPTIONS)
    theirs = await official.chat(MODEL, SAID, options=OPTIONS)
    ours = await call("llm/chat", messages=SAID, max_tokens=16, **SAMPLING)
    assert ours["response"] == theirs.message.content
    assert ours["done_reason"] == theirs.done_reason
    assert ours["usage"] == {"prompt_tokens": theirs.prompt_eval_count, "completion_tokens": theirs.eval_count}


async def test_a_prompt(call: Call, official: Any) -> None:
    await official.generate(MODEL, PROMPT, options=OPTIONS)
    theirs = await official.generate(MODEL, PROMPT, options=OPTIONS)
    ours = await call("llm/generate", prompt=PROMPT, max_tokens=16, context=[], **SAMPLING)
    assert ours["response"] == theirs.response
    assert ours["context"] == theirs.context


async def test_an_answer_in_a_format(call: Call, official: Any) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    asked = [{"role": "user", "content": "What is the capital of France? Answer in JSON."}]
    options = {"temperature": 0, "num_predict": 40}
    await official.chat(MODEL, asked, format=schema, options=options)
    theirs = await official.chat(MODEL, asked, format=schema, options=options)
    ours = await call("llm/chat", messages=asked, format=schema, temperature=0, max_tokens=40)
    assert ours["response"] == theirs.message.content
    assert list(ours["parsed"]) == ["city"]


async def test_vectors(call: Call, official: Any) -> None:
    texts = ["a cat", "the stock market"]
    theirs = await official.embed(MODEL, texts)
    for text, vector in zip(texts, theirs.embeddings, strict=True):
        ours = (await call("llm/embeddings", text=text))["embedding"]
        assert ours == pytest.approx(list(vector), abs=1e-4)


async def test_the_models(call: Call, official: Any) -> None:
    theirs = {model.model: (model.size, model.digest) for model in (await official.list()).models}
    ours = {model["name"]: (model["size"], model["digest"]) for model in (await call("llm/models"))["models"]}
    assert ours == theirs
