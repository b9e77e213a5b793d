"""Texts become vectors, in chunks; what is wrong with one text is no other's loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.providers.ollama.calls.memory_pool import MemoryPool

from gleitzeit.core.errors import ProviderError, ProviderUnavailableError, ValidationError
from gleitzeit.providers.base import TaskContext
from gleitzeit_ollama.calls.embedding import embed
from gleitzeit_ollama.settings import OllamaSettings

pytestmark = pytest.mark.anyio

SETTINGS = OllamaSettings(models={"default": "tiny"})
NO_EMBEDDINGS = ValidationError("Ollama refused the request: it does not embed", details={"status": 400})


async def by_length(payload: Mapping[str, Any]) -> dict[str, Any]:
    """A vector that names its text; refuses all that hold the word bad, as Ollama does for one of them."""
    await anyio.lowlevel.checkpoint()
    texts = payload["input"]
    if any("bad" in text for text in texts):
        raise ValidationError("Ollama refused the request: bad", details={"status": 400})
    return {"embeddings": [[float(len(text)), 1.0] for text in texts], "prompt_eval_count": len(texts)}


async def test_one_text_is_one_vector(task: TaskContext) -> None:
    pool = MemoryPool(by_length)
    result = await embed(pool, SETTINGS, {"text": "four", "model": "tiny"})
    assert result == {"embedding": [4.0, 1.0], "model": "tiny", "usage": {"prompt_tokens": 1}}
    [(payload, want)] = pool.asked
    assert payload == {"model": "tiny", "input": ["four"]}
    assert (want.model, want.load, want.run) == ("tiny:latest", (), "run")
    assert task.metadata["nodes"] == ["http://one:11434"]


async def test_a_list_is_vectors_in_its_order_over_all_places(task: TaskContext) -> None:
    pool = MemoryPool(by_length, count=3)
    texts = ["x" * size for size in range(1, 1001)]
    result = await embed(pool, SETTINGS, {"text": texts})
    assert [vector[0] for vector in result["embeddings"]] == [float(size) for size in range(1, 1001)]
    assert result["usage"] == {"prompt_tokens": 1000}
    assert "errors" not in result
    assert 3 <= pool.most_in_flight <= 3 + 16
    assert task.metadata["requests"] == len(pool.asked) < 100


async def test_an_empty_list_asks_nobody() -> None:
    pool = MemoryPool(by_length)
    assert (await embed(pool, SETTINGS, {"text": []}))["embeddings"] == []
    assert pool.asked == []


async def test_options_go_along_and_load_options_are_wanted() -> None:
    pool = MemoryPool(by_length)
    parameters = {"input": "a", "options": {"num_ctx": 512}, "truncate": False, "dimensions": 2, "keep_alive": "5"}
    await embed(pool, SETTINGS, parameters)
    [(payload, want)] = pool.asked
    assert payload == {
        "model": "tiny",
        "input": ["a"],
        "options": {"num_ctx": 512},
        "truncate": False,
        "dimensions": 2,
        "keep_alive": 5.0,
    }
    assert want.load == (("num_ctx", 512),)


async def test_a_text_that_is_refused_is_the_only_one_without_a_vector(task: TaskContext) -> None:
    texts: list[Any] = [f"text {number}" for number in range(100)]
    texts[17] = "bad one"
    texts[40] = None
    texts[41] = ""
    texts[99] = {"also": "bad"}
    pool = MemoryPool(by_length)
    result = await embed(pool, SETTINGS, {"text": texts})
    assert [index for index, vector in enumerate(result["embeddings"]) if vector is None] == [17, 40, 41, 99]
    assert [error["index"] for error in result["errors"]] == [17, 40, 41, 99]
    assert result["errors"][0] == {
        "index": 17,
        "code": "parameters_invalid",
        "message": "Ollama refused the request: bad",
        "hint": None,
        "retryable": False,
    }
    assert "text[40] is null" in result["errors"][1]["message"]
    assert "text[41] is empty" in result["errors"][2]["message"]
    assert task.metadata["failed_items"] == 4


async def test_where_all_texts_are_refused_the_task_fails() -> None:
    with pytest.raises(ValidationError, match="all 3 items failed: Ollama refused the request: bad"):
        await embed(MemoryPool(by_length), SETTINGS, {"text": ["bad", "bad too", "bad as well"]})
    with pytest.raises(ValidationError, match="text is null"):
        await embed(MemoryPool(by_length), SETTINGS, {"text": None})
    with pytest.raises(ValidationError, match="text is empty"):
        await embed(MemoryPool(by_length), SETTINGS, {"text": ""})


async def test_a_model_that_cannot_embed_is_not_asked_for_every_text() -> None:
    async def refuse(payload: Mapping[str, Any]) -> dict[str, Any]:
        raise NO_EMBEDDINGS

    pool = MemoryPool(refuse)
    with pytest.raises(ValidationError, match="it does not embed"):
        await embed(pool, SETTINGS, {"text": [f"text {number}" for number in range(10_000)]})
    assert len(pool.asked) < 100


async def test_what_is_wrong_with_the_nodes_fails_the_task_at_once() -> None:
    async def gone(payload: Mapping[str, Any]) -> dict[str, Any]:
        raise ProviderUnavailableError("no Ollama answers")

    pool = MemoryPool(gone)
    with pytest.raises(ProviderUnavailableError, match="no Ollama answers"):
        await embed(pool, SETTINGS, {"text": [f"text {number}" for number in range(1000)]})
    assert len(pool.asked) <= 2 + 16


async def test_progress_counts_texts(reports: list[Any]) -> None:
    await embed(MemoryPool(by_length), SETTINGS, {"text": ["a", "bad", None]})
    assert reports[-1][:2] == (3, 3)


async def test_ten_thousand_texts_do_not_hold_up_the_loop() -> None:
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(count)
        result = await embed(MemoryPool(by_length), SETTINGS, {"text": ["some text"] * 10_000})
        assert len(result["embeddings"]) == 10_000
        tasks.cancel_scope.cancel()
    assert turns > 50


async def test_cancelling_ends_all_requests() -> None:
    busy = anyio.Event()

    async def never(payload: Mapping[str, Any]) -> dict[str, Any]:
        busy.set()
        await anyio.sleep_forever()
        raise AssertionError

    pool = MemoryPool(never)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(embed, pool, SETTINGS, {"text": ["a", "b", "c", "d"]})
        await busy.wait()
        tasks.cancel_scope.cancel()
    assert pool.in_flight == 0


async def test_an_answer_that_is_no_vectors_fails_the_task() -> None:
    async def odd(payload: Mapping[str, Any]) -> dict[str, Any]:
        return {"embeddings": [[1.0]]}

    with pytest.raises(ProviderError, match="it gave 1 embeddings for 2 texts"):
        await embed(MemoryPool(odd, count=1), SETTINGS, {"text": ["a", "b"]})
