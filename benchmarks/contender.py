"""The inside of a process that is measured: it takes one request a line and answers with what the work cost it.

Needs nothing but the standard library, so that every environment can run it.
"""

from __future__ import annotations

import abc
import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import IO, Self

PAYLOAD = "x" * 200
AT_ONCE = 50

Work = Callable[[], Awaitable[None]]


class Shape(StrEnum):
    """What is run. Every task returns `{"r": PAYLOAD}`, and its result is durable before anything depends on it."""

    WIDE = "wide"
    """One run of tasks that wait for nobody and are bounded by nothing."""

    WIDE_BY_16 = "wide, 16 at once"
    """The same with the bound that a document has where it names none."""

    CHAIN = "chain"
    """One run of tasks of which each waits for the one before."""

    SINGLE = "one-task runs"
    """Runs of one task each, 50 at once."""

    ITEMS = "foreach"
    """One run of one task for each item of a list."""

    CALLS = "calls"
    """One task whose code makes calls, one after the other, of a method that promises nothing."""

    READS = "read-only calls"
    """The same of a method that is declared read-only."""


class Contender(abc.ABC):
    """Something that can carry out some of the shapes; an async context manager for as long as it is measured."""

    version: str = ""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    @abc.abstractmethod
    async def prepare(self, shape: Shape, tasks: int) -> Work:
        """What carries the shape out, or one of its runs; getting ready for it is not measured."""


async def many_at_once(work: Work, runs: int) -> None:
    """Carry out `work` so many times, 50 at once."""
    free = asyncio.Semaphore(AT_ONCE)

    async def one() -> None:
        async with free:
            await work()

    await asyncio.gather(*(one() for _ in range(runs)))


async def measure(contender: Contender, shape: Shape, tasks: int) -> dict[str, float]:
    """Seconds that a shape takes, of CPU (of all threads) and by the clock."""
    work = await contender.prepare(shape, tasks)
    gc.collect()
    wall, cpu = time.perf_counter(), time.process_time()
    await (many_at_once(work, tasks) if shape is Shape.SINGLE else work())
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def answers() -> IO[str]:
    """The standard output, kept for answers alone: whatever else is printed goes to standard error."""
    kept = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return kept


async def serve(build: Callable[[Path], Contender]) -> None:
    """Say that the contender is ready, then carry out what is asked until there is nothing more."""
    out = answers()
    with tempfile.TemporaryDirectory(prefix="gleitzeit-bench-") as folder:
        async with build(Path(folder)) as contender:
            print(json.dumps({"version": contender.version}), file=out, flush=True)
            while line := await asyncio.to_thread(sys.stdin.readline):
                request = json.loads(line)
                taken = await measure(contender, Shape(request["shape"]), request["tasks"])
                print(json.dumps(taken), file=out, flush=True)


def main(build: Callable[[Path], Contender]) -> None:
    """Serve one contender, which keeps its files in the folder that it is built with."""
    asyncio.run(serve(build))
