"""Many requests at once."""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio
import httpx2

from benchmarks.callers import Caller, Took, raw

WIDTH = 4
LOADED = 0.2
"""A model that was loaded answers sooner than that, in seconds; one that was not takes longer to load."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How many of the requests had to wait for a load, and how long all took."""

    loads: int
    seconds: float


async def gathered(caller: Caller, models: Sequence[str], width: int) -> list[Took]:
    """All of them, at most `width` at once."""
    took: list[Took] = []
    limit = anyio.Semaphore(width)

    async def one(model: str) -> None:
        async with limit:
            took.append(await caller(model))

    async with anyio.create_task_group() as group:
        for model in models:
            group.start_soon(one, model)
    return took


async def makespan(caller: Caller, model: str, requests: int) -> float:
    """Seconds until all are answered that are asked at once."""
    begun = time.perf_counter()
    await gathered(caller, [model] * requests, requests)
    return time.perf_counter() - begun


async def split(urls: Sequence[str], model: str, requests: int) -> float:
    """Seconds until all are answered, where each node has its own share and nobody has to decide."""
    begun = time.perf_counter()
    async with AsyncExitStack() as stack, anyio.create_task_group() as group:
        for url in urls:
            caller = await stack.enter_async_context(raw(url))
            group.start_soon(gathered, caller, [model] * (requests // len(urls)), 1)
    return time.perf_counter() - begun


async def work_of(caller: Caller, model: str) -> float:
    """Seconds that a node says it needs for a request, with nothing else to do."""
    return statistics.median(took.work for took in await gathered(caller, [model] * 20, 1))


def mixed(models: Sequence[str], requests: int) -> list[str]:
    """As many of each model, in an order that is the same every time."""
    order = [models[number % len(models)] for number in range(requests)]
    random.Random(7).shuffle(order)
    return order


async def loads_of(caller: Caller, order: Sequence[str], urls: Sequence[str]) -> Outcome:
    """Ask in this order, from nodes that have nothing loaded."""
    async with httpx2.AsyncClient(timeout=60, trust_env=False, verify=False) as client:
        for url in urls:
            for model in set(order):
                await client.post(f"{url}/api/generate", json={"model": model, "keep_alive": 0})
    begun = time.perf_counter()
    took = await gathered(caller, order, WIDTH)
    return Outcome(sum(one.load > LOADED for one in took), time.perf_counter() - begun)
