"""A provider in front of a node, and nodes that answer byte for byte what a test wants to see."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from gleitzeit_ollama import OllamaProvider

Script = Callable[[str, dict[str, Any], SocketStream], Awaitable[None]]
Serve = Callable[[Script], Awaitable[str]]
Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]
Start = Callable[..., Awaitable[Call]]

LISTINGS: dict[str, Any] = {
    "/api/version": {"version": "0.33.0"},
    "/api/tags": {"models": [{"name": "tiny:latest", "model": "tiny:latest", "size": 1, "digest": "d", "details": {}}]},
    "/api/ps": {"models": [{"name": "tiny:latest", "model": "tiny:latest", "size": 1}]},
}


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts a provider for nodes; what it returns calls a method and awaits its result."""
    async with AsyncExitStack() as stack:

        async def started(*nodes: Any, **settings: Any) -> Call:
            section = {"endpoints": nodes, "models": {"default": "tiny"}, "max_retries": 0, **settings}
            provider = OllamaProvider("ollama", section)
            await provider.initialize()
            stack.push_async_callback(provider.shutdown)

            async def call(method: str = "llm/chat", **parameters: Any) -> dict[str, Any]:
                given = {"messages": "hi", **parameters} if method == "llm/chat" else parameters
                with anyio.fail_after(10):
                    return await provider.handle_request(method, given)

            return call

        yield started


@pytest.fixture
def node(serve: Serve) -> Serve:
    """Starts a node with the model tiny, which it has loaded: a script answers all that is asked of models."""

    async def started(script: Script) -> str:
        async def answer(path: str, body: dict[str, Any], stream: SocketStream) -> None:
            listing = LISTINGS.get(path)
            if listing is None:
                await script(path, body, stream)
            else:
                await stream.send(_whole(json.dumps(listing).encode()))

        return await serve(answer)

    return started


def _whole(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body
