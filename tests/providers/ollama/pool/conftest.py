"""Hubs in front of nodes, and requests to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import anyio
import pytest
from tests.providers.ollama.fake.node import FakeOllama

from gleitzeit.core.errors import GleitzeitError
from gleitzeit_ollama.dispatch.base import Want
from gleitzeit_ollama.pool.base import Reply, full_name
from gleitzeit_ollama.pool.hub import OllamaHub

OpenHub = Callable[..., OllamaHub]
ServeHub = Callable[[OllamaHub], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Said:
    """What came of a chat."""

    text: str
    reply: Reply


Chat = Callable[..., Coroutine[Any, Any, Said]]


async def failure(chat: Chat, hub: OllamaHub, **more: Any) -> GleitzeitError:
    """The error that a chat ends in."""
    with pytest.raises(GleitzeitError) as caught:
        await chat(hub, **more)
    return caught.value


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests that failed are sent again at once: nothing here passes by waiting."""
    monkeypatch.setattr("gleitzeit_ollama.pool.retries._FIRST_PAUSE", 0.001)


@pytest.fixture
async def open_hub(short_pauses: None) -> AsyncIterator[OpenHub]:
    """Makes a hub for nodes, or their addresses, and closes it in the end."""
    async with AsyncExitStack() as stack:

        def opened(*nodes: FakeOllama | str, **settings: Any) -> OllamaHub:
            urls = [node if isinstance(node, str) else node.url for node in nodes]
            hub = OllamaHub({"endpoints": urls, "discovery": False, **settings})
            stack.push_async_callback(hub.aclose)
            return hub

        yield opened


@pytest.fixture
async def serve_hub() -> AsyncIterator[ServeHub]:
    """Has a hub look after its nodes until the test is over."""
    async with anyio.create_task_group() as group:

        async def served(hub: OllamaHub) -> None:
            await group.start(hub.serve)

        yield served
        group.cancel_scope.cancel()


@pytest.fixture
def chat() -> Chat:
    """Asks a hub one thing."""

    async def asked(hub: OllamaHub, content: str = "hi", model: str = "tiny", run: str = "", **more: Any) -> Said:
        payload = {"model": model, "messages": [{"role": "user", "content": content}], "stream": True, **more}
        with anyio.fail_after(20):
            async with hub.stream("/api/chat", payload, Want(full_name(model), run=run)) as reply:
                return Said("".join([line["message"]["content"] async for line in reply]), reply)

    return asked
