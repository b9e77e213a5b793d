"""Two real servers as one."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import httpx2
import pytest

from gleitzeit.core.errors import ProviderError

pytestmark = [pytest.mark.ollama, pytest.mark.anyio]

Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]

MODEL = "smollm2:135m"


async def warmed(nodes: list[str]) -> None:
    """Have the model in memory on all of them."""
    async with (
        httpx2.AsyncClient(timeout=50, trust_env=False, verify=False) as client,
        anyio.create_task_group() as group,
    ):
        for node in nodes:
            group.start_soon(lambda url: client.post(f"{url}/api/generate", json={"model": MODEL}), node)


async def test_a_list_is_spread_over_both_and_answered_in_its_order(call_pool: Call, ollamas: list[str]) -> None:
    await warmed(ollamas)
    places = ["France", "Italy", "Spain", "Germany", "Greece", "Austria"]
    prompts = [f"What is the capital of {place}?" for place in places]
    results = (await call_pool("llm/generate", prompt=prompts, temperature=0, max_tokens=12))["results"]
    assert [place in result["response"] for place, result in zip(places, results, strict=True)] == [True] * len(places)
    nodes = (await call_pool("llm/models"))["nodes"]
    assert [MODEL in node["service_seconds"] for node in nodes] == [True, True]


async def test_what_is_where_is_told(call_pool: Call, ollamas: list[str]) -> None:
    await warmed(ollamas)
    told = await call_pool("llm/models")
    models = {model["name"]: model for model in told["models"]}
    assert models[MODEL]["nodes"] == models[MODEL]["loaded"] == ollamas
    assert models[MODEL]["aliases"] == ["default"]
    assert models["gemma3:270m"]["nodes"] == ollamas
    assert [(node["node"], node["state"]) for node in told["nodes"]] == [(url, "healthy") for url in ollamas]
    assert all(node["version"] for node in told["nodes"])


async def test_a_model_that_none_has_is_named_with_those_there_are(call_pool: Call) -> None:
    with pytest.raises(ProviderError, match="smollm2:999m") as caught:
        await call_pool("llm/generate", model="smollm2:999m", prompt="x")
    assert not caught.value.retryable
    assert "ollama pull smollm2:999m" in (caught.value.hint or "")


async def test_all_of_many_at_once_are_answered_and_none_is_left_in_flight(call_pool: Call) -> None:
    answers: list[str] = []

    async def one(number: int) -> None:
        result = await call_pool("llm/chat", messages=f"Say the number {number}.", temperature=0, max_tokens=3)
        answers.append(result["done_reason"])

    async with anyio.create_task_group() as group:
        for number in range(12):
            group.start_soon(one, number)
    assert answers == ["length"] * 12
    assert [node["in_flight"] for node in (await call_pool("llm/models"))["nodes"]] == [{}, {}]
