"""`llm/embeddings` and `llm/models` on nodes, by a provider as a registry runs it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import anyio
import pytest
from tests.providers.ollama.fake.model import FakeModel
from tests.providers.ollama.fake.node import FakeOllama

from gleitzeit.core.errors import ProviderError, ValidationError
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit_ollama import OllamaProvider

pytestmark = pytest.mark.anyio

Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]

MODEL = FakeModel("tiny", width=4, context_length=50)
LONG = "word " * 60


@pytest.fixture
async def nodes() -> AsyncIterator[tuple[FakeOllama, FakeOllama]]:
    async with (
        FakeOllama(MODEL, warm=["tiny"], version="0.12.0") as one,
        FakeOllama(MODEL, "large", warm=["tiny"], version="0.12.0") as two,
    ):
        yield one, two


@pytest.fixture
async def call(nodes: tuple[FakeOllama, FakeOllama]) -> AsyncIterator[Call]:
    provider = OllamaProvider("ollama", {"endpoints": [node.url for node in nodes], "models": {"default": "tiny"}})
    registry = ProtocolProviderRegistry()
    registry.register_provider("llm/v1", provider)

    async def execute(method: str, **parameters: Any) -> dict[str, Any]:
        result: dict[str, Any] = await registry.execute(method, parameters)
        return result

    with anyio.fail_after(10):
        async with registry.running():
            yield execute


async def test_a_long_list_is_shared_by_the_nodes_and_comes_back_in_order(
    call: Call, nodes: tuple[FakeOllama, FakeOllama]
) -> None:
    one, two = nodes
    texts = [f"text {number}" for number in range(200)]
    for node in nodes:
        node.state.gate.hold()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_release_once_both_are_busy, one, two)
        result = await call("llm/embeddings", text=texts)
        assert len(result["embeddings"]) == 200
        assert result["usage"]["prompt_tokens"] == 400
        alone = await call("llm/embeddings", text="text 123")
        assert result["embeddings"][123] == alone["embedding"]
    assert one.counters.requests["/api/embed"] > 1
    assert two.counters.requests["/api/embed"] > 1


async def _release_once_both_are_busy(*nodes: FakeOllama) -> None:
    for node in nodes:
        await node.counters.until(lambda seen: seen.in_flight > 0)
    for node in nodes:
        node.state.gate.release()


async def test_a_text_that_is_too_long_is_the_only_one_that_fails(call: Call) -> None:
    texts = [f"text {number}" for number in range(40)]
    texts[7] = LONG
    result = await call("llm/embeddings", text=texts, truncate=False)
    assert [index for index, vector in enumerate(result["embeddings"]) if vector is None] == [7]
    [error] = result["errors"]
    assert (error["index"], error["code"], error["retryable"]) == (7, "parameters_invalid", False)
    assert "input length exceeds maximum context length" in error["message"]
    with pytest.raises(ValidationError, match="input length exceeds"):
        await call("llm/embeddings", text=LONG, truncate=False)
    with pytest.raises(ValidationError, match="all 2 items failed"):
        await call("llm/embeddings", text=[LONG, LONG], truncate=False)


async def test_dimensions_are_passed_on(call: Call) -> None:
    assert len((await call("llm/embeddings", text="a"))["embedding"]) == 4
    assert len((await call("llm/embeddings", text="a", dimensions=2))["embedding"]) == 2


async def test_a_model_that_no_node_has_is_asked_for_once_and_named(
    call: Call, nodes: tuple[FakeOllama, FakeOllama]
) -> None:
    with pytest.raises(ProviderError, match='no node has the model "nothing"'):
        await call("llm/embeddings", text=["a"] * 500, model="nothing")
    assert not nodes[0].counters.requests["/api/embed"]


async def test_a_wrong_option_is_refused_before_any_node_is_asked(
    call: Call, nodes: tuple[FakeOllama, FakeOllama]
) -> None:
    with pytest.raises(ValidationError, match="num_ctx"):
        await call("llm/embeddings", text="a", options={"num_ctx": "many"})
    assert not nodes[0].counters.requests["/api/embed"]


async def test_models_are_told_with_the_nodes_that_have_them(call: Call, nodes: tuple[FakeOllama, FakeOllama]) -> None:
    one, two = nodes
    result = await call("llm/models")
    large, tiny = result["models"]
    assert (large["name"], large["nodes"], large["loaded"]) == ("large:latest", [two.url], [])
    assert (tiny["nodes"], tiny["loaded"], tiny["aliases"]) == ([one.url, two.url], [one.url, two.url], ["default"])
    assert tiny["details"]["family"] == "llama"
    assert [(node["state"], node["version"]) for node in result["nodes"]] == [("healthy", "0.12.0")] * 2
    await two.down()
    assert {node["node"]: node["state"] for node in (await call("llm/models"))["nodes"]} == {
        one.url: "healthy",
        two.url: "down",
    }
