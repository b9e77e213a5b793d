"""`llm/chat` on a real server."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ProviderError, ValidationError
from gleitzeit.providers.base import TaskContext
from gleitzeit_ollama import OllamaProvider
from gleitzeit_ollama.methods.chat import CHAT

pytestmark = pytest.mark.ollama

Report = tuple[float | None, float | None, str | None]
Chat = Callable[..., Coroutine[Any, Any, dict[str, Any]]]

MODEL = "smollm2:135m"
QUESTION = "What is the capital of France?"


@pytest.mark.anyio
async def test_a_real_model_answers(chat: Chat, task: TaskContext) -> None:
    result = await chat(max_tokens=30)
    assert "Paris" in result["response"]
    assert result["done_reason"] == "stop"
    assert result["usage"]["completion_tokens"] > 0
    assert result["model"] == MODEL
    assert 0 < task.metadata["time_to_first_token"] <= task.metadata["duration"]


@pytest.mark.anyio
async def test_its_tokens_are_told_in_order(chat: Chat, reports: list[Report]) -> None:
    result = await chat(max_tokens=30)
    assert "".join(report[2] or "" for report in reports) == result["response"]
    assert [report[1] for report in reports] == [30] * len(reports)


@pytest.mark.anyio
async def test_max_tokens_cuts_it_off(chat: Chat) -> None:
    result = await chat(max_tokens=3)
    assert result["done_reason"] == "length"
    assert result["usage"]["completion_tokens"] == 3


@pytest.mark.anyio
async def test_the_same_seed_gives_the_same_text(chat: Chat) -> None:
    asked = {"temperature": 1.5, "seed": 42, "max_tokens": 12, "messages": "Tell me something odd."}
    await chat(**asked)  # the first one fills the prompt's cache, which makes other roundings
    assert (await chat(**asked))["response"] == (await chat(**asked))["response"]


@pytest.mark.anyio
async def test_a_schema_makes_data(chat: Chat) -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    result = await chat(messages=f"{QUESTION} Answer in JSON.", format=schema, max_tokens=60)
    assert list(result["parsed"]) == ["city"]


@pytest.mark.anyio
async def test_a_conversation_goes_on_with_the_answer(chat: Chat) -> None:
    first = await chat(max_tokens=30)
    messages = [
        {"role": "system", "content": "You are helpful."},
        {"content": QUESTION},
        first["message"],
        {"content": "And of Italy?"},
    ]
    second = await chat(messages=messages, max_tokens=30)
    assert second["usage"]["prompt_tokens"] > first["usage"]["prompt_tokens"]


@pytest.mark.anyio
async def test_a_missing_model_is_named_with_those_there_are(chat: Chat) -> None:
    with pytest.raises(ProviderError, match=rf'no model "smollm2:999m"; it has .*{MODEL}') as caught:
        await chat(model="smollm2:999m")
    assert not caught.value.retryable


@pytest.mark.anyio
async def test_what_the_model_cannot_do_is_said_in_its_servers_words(chat: Chat) -> None:
    tool = {"type": "function", "function": {"name": "now", "description": "", "parameters": {"type": "object"}}}
    with pytest.raises(ValidationError, match="does not support tools"):
        await chat(tools=[tool])


@pytest.mark.anyio
async def test_a_cancelled_chat_frees_the_model_for_the_next(chat: Chat, first_token: anyio.Event) -> None:
    long = {"messages": "Count from one to ten thousand.", "options": {"num_predict": 2000, "repeat_penalty": 2.0}}
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: chat(**long))
        await first_token.wait()
        group.cancel_scope.cancel()
    # The server serves one request at a time: this one would wait for all 2,000 tokens (about 40 s) otherwise.
    with anyio.fail_after(10):
        assert (await chat(max_tokens=3))["done_reason"] == "length"


@pytest.mark.anyio
async def test_several_at_once_all_get_an_answer(chat: Chat) -> None:
    results: list[dict[str, Any]] = []

    async def one() -> None:
        results.append(await chat(max_tokens=5))

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(one)
    assert len({result["response"] for result in results}) == 1
    assert len(results) == 6


@pytest.mark.anyio
async def test_health_tells_the_version(ollama: str) -> None:
    health = await OllamaProvider("ollama", {"endpoint": ollama}).health_check()
    assert health["status"] == "healthy"
    assert health["version"]


def test_one_provider_serves_in_one_event_loop_after_the_other(ollama: str) -> None:
    provider = OllamaProvider("ollama", {"endpoint": ollama, "models": {"default": MODEL}})

    async def once() -> str:
        await provider.initialize()
        result = await provider.handle_request(CHAT, {"messages": QUESTION, "temperature": 0, "max_tokens": 2})
        await provider.shutdown()
        return str(result["done_reason"])

    assert [anyio.run(once), anyio.run(once)] == ["length", "length"]
