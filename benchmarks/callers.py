"""Ways to ask Ollama for an answer: raw HTTP, the pool, and the whole provider."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import Any

import anyio
import httpx2

from gleitzeit.providers.base import Detached, TaskContext, enter_task
from gleitzeit_ollama import OllamaProvider
from gleitzeit_ollama.dispatch.base import Want
from gleitzeit_ollama.pool.hub import OllamaHub
from gleitzeit_ollama.settings import NodeSettings, OllamaSettings

JSON = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Took:
    """One call, in seconds: until its first token and until its end, and as the node tells it: at work, and loading."""

    first: float
    total: float
    work: float
    load: float

    @classmethod
    def told(cls, begun: float, first: float, last: JSON) -> Took:
        """By the last line of an answer that has just ended."""
        total = time.perf_counter() - begun
        return cls(first, total, last.get("total_duration", 0) / 1e9, last.get("load_duration", 0) / 1e9)


Caller = Callable[[str], Awaitable[Took]]
"""Has a model say eight words."""


def payload_for(model: str) -> dict[str, Any]:
    """The request that all of them send."""
    messages = [{"role": "user", "content": "one two three four five six"}]
    options = {"temperature": 0, "num_predict": 8}
    return {"model": model, "messages": messages, "stream": True, "options": options}


@asynccontextmanager
async def raw(*urls: str) -> AsyncGenerator[Caller]:
    """`httpx2` alone: the lines of the answer are read as JSON; several nodes in turn."""
    nodes = cycle(urls)

    async with httpx2.AsyncClient(timeout=None, trust_env=False, verify=False) as client:

        async def call(model: str) -> Took:
            begun, first, last = time.perf_counter(), 0.0, JSON()
            async with client.stream("POST", f"{next(nodes)}/api/chat", json=payload_for(model)) as response:
                response.raise_for_status()
                async for text in response.aiter_lines():
                    last = json.loads(text)
                    first = first or time.perf_counter() - begun
            assert last.get("done"), last
            return Took.told(begun, first, last)

        yield call


def settings_for(urls: Sequence[str], max_parallel: int | None) -> OllamaSettings:
    """These nodes and no others."""
    return OllamaSettings(endpoints=tuple(NodeSettings(url=url, max_parallel=max_parallel) for url in urls))


@asynccontextmanager
async def pooled(urls: Sequence[str], max_parallel: int | None = None) -> AsyncGenerator[Caller]:
    """Our pool."""
    hub = OllamaHub(settings_for(urls, max_parallel))
    async with anyio.create_task_group() as group:
        await group.start(hub.serve)

        async def call(model: str) -> Took:
            begun, first, last = time.perf_counter(), 0.0, JSON()
            async with hub.stream("/api/chat", payload_for(model), Want(model)) as reply:
                async for line in reply:
                    last = line
                    first = first or time.perf_counter() - begun
            return Took.told(begun, first, last)

        yield call
        group.cancel_scope.cancel()


@asynccontextmanager
async def provided(urls: Sequence[str], max_parallel: int | None = None) -> AsyncGenerator[Caller]:
    """`llm/chat` of our provider, as a task calls it."""
    provider = OllamaProvider("ollama", settings_for(urls, max_parallel))
    async with anyio.create_task_group() as group:
        await provider.initialize()
        await group.start(provider.serve)

        async def call(model: str) -> Took:
            asked = payload_for(model)
            parameters = {name: value for name, value in asked.items() if name != "stream"}
            context = TaskContext(run_id="bench", task_id="chat", support=Detached())
            leave = enter_task(context)
            begun = time.perf_counter()
            try:
                await provider.handle_request("llm/chat", parameters)
            finally:
                leave()
            total = time.perf_counter() - begun
            facts = context.metadata
            return Took(facts["time_to_first_token"], total, 0.0, facts.get("load_duration") or 0.0)

        yield call
        await provider.shutdown()
        group.cancel_scope.cancel()


async def alternating(ours: Caller, theirs: Caller, model: str, calls: int) -> tuple[list[Took], list[Took]]:
    """Both by turns, call by call."""
    mine, other = list[Took](), list[Took]()
    for _ in range(calls):
        other.append(await theirs(model))
        mine.append(await ours(model))
    return mine, other


async def cpu_of(caller: Caller, model: str, calls: int) -> float:
    """Milliseconds of CPU of this process a call, one after the other."""
    begun = time.process_time()
    for _ in range(calls):
        await caller(model)
    return (time.process_time() - begun) / calls * 1e3
