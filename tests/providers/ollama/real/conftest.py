"""Our provider in front of the real servers that `GLEITZEIT_TEST_OLLAMA` names."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest

from gleitzeit_ollama import OllamaProvider

Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]

MODEL = "smollm2:135m"
QUESTION = "What is the capital of France?"
SECONDS = 50


@asynccontextmanager
async def provider_of(*nodes: str) -> AsyncGenerator[Call]:
    """Calls methods of a provider that these nodes stand behind."""
    settings = {"endpoints": list(nodes), "models": {"default": MODEL}}
    provider = OllamaProvider("ollama", settings)
    await provider.initialize()

    async def call(method: str, **parameters: Any) -> dict[str, Any]:
        with anyio.fail_after(SECONDS):
            await provider.validate_request(method, parameters)
            return await provider.handle_request(method, parameters)

    async with anyio.create_task_group() as group:
        await group.start(provider.serve)
        yield call
        group.cancel_scope.cancel()
    await provider.shutdown()


@pytest.fixture
async def call(ollama: str) -> AsyncIterator[Call]:
    """Calls a method on one node."""
    async with provider_of(ollama) as call:
        yield call


@pytest.fixture
async def call_pool(ollamas: list[str]) -> AsyncIterator[Call]:
    """Calls a method on two nodes."""
    async with provider_of(*ollamas) as call:
        yield call


@pytest.fixture
def chat(call: Call) -> Call:
    """Asks what the capital of France is, unless told otherwise, by the likeliest words."""

    async def ask(**parameters: Any) -> dict[str, Any]:
        return await call("llm/chat", **{"messages": QUESTION, "temperature": 0, **parameters})

    return ask
