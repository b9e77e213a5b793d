"""What running Python in the sandbox costs: beside a process of its own, and beside other ways to keep code apart.

    python -m benchmarks.sandbox [--json] [--quick] [--no-peers] [--rounds N]

Ours goes through the provider, as a task does. Times are milliseconds by the clock unless they say otherwise; a ratio
is the median of the ratios round by round. A measurement is no test: the exit code is 0.
"""

from __future__ import annotations

import gc
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import anyio

from benchmarks.options import parser_of, show
from benchmarks.peers import containers, monty
from benchmarks.peers.environment import NotInstalledError
from benchmarks.rounds import ContenderError
from benchmarks.table import Line, Section
from gleitzeit.core.errors import GleitzeitError, TimeoutError
from gleitzeit.providers.base import Detached, TaskContext, enter_task
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit_python import PythonProvider
from gleitzeit_python.broker.conversation import Conversation

WARM_BOUND = 3.0
PROCESS_BOUND = 8.0
SUSTAINED_BOUND = 10.0
NESTED_BOUND = 0.15
KILL_BOUND = 10.0
JITTER_BOUND = 50.0
DOCKER_BOUND = 20.0

PRINT = {"code": "print(1)"}
SCRIPT = "import json, csv, math, datetime\nprint(1)\n"
NESTED = "for _ in range(args): await call('bench/nothing')"
SPIN = "while True: pass"
SPIN_SECONDS = 0.2
COLUMNS = ("ours", "other", "measured")


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured, and how often."""

    rounds: int = 30
    sustained: int = 200
    sustained_rounds: int = 5
    calls: int = 2_000
    kills: int = 10
    at_once: int = 200


QUICK = Extent(rounds=3, sustained=10, sustained_rounds=1, calls=50, kills=2, at_once=10)

Run = Callable[..., Coroutine[Any, Any, dict[str, Any]]]


class Bystander(Detached):
    """Answers every call of the code with nothing, at once."""

    async def start_child(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Nothing."""
        del method, parameters
        return {}


@asynccontextmanager
async def provider(**settings: Any) -> AsyncGenerator[Run]:
    """A way to run code through a provider that is warm."""
    registry = ProtocolProviderRegistry()
    registry.register_provider("python/v1", PythonProvider("python", settings))

    async def run(**parameters: Any) -> dict[str, Any]:
        leave = enter_task(TaskContext(run_id="bench", task_id="bench", support=Bystander()))
        try:
            result: dict[str, Any] = await registry.execute("python/execute", parameters)
            return result
        finally:
            leave()

    async with registry.running():
        await run(**PRINT)
        await anyio.sleep(0.3)  # until the workers that stand by are there
        yield run


async def milliseconds(act: Callable[[], Coroutine[Any, Any, object]]) -> float:
    """How long something takes by the clock."""
    begin = time.perf_counter()
    await act()
    return (time.perf_counter() - begin) * 1e3


async def one_task(extent: Extent) -> Section:
    """A warm task beside a process that does the same."""
    with tempfile.TemporaryDirectory(prefix="gleitzeit-bench-") as folder:
        script = Path(folder) / "script.py"
        script.write_text(SCRIPT, encoding="utf-8")
        mine: list[float] = []
        with_imports: list[float] = []
        theirs: list[float] = []
        async with provider() as run:
            for _ in range(extent.rounds):
                mine.append(await milliseconds(lambda: run(**PRINT)))
                await anyio.sleep(0.03)
                with_imports.append(await milliseconds(lambda: run(code=SCRIPT)))
                theirs.append(await milliseconds(lambda: anyio.run_process([sys.executable, "-I", script])))
    times = statistics.median(other / own for own, other in zip(with_imports, theirs, strict=True))
    lines = [
        Line("ms of print(1), p50", statistics.median(mine), measure=statistics.median(mine), bound=WARM_BOUND),
        Line(
            "ms with json, csv, math, datetime / process",
            statistics.median(with_imports),
            statistics.median(theirs),
            times,
            PROCESS_BOUND,
            "at least",
        ),
    ]
    return Section("One task, workers standing by, beside `python -I script.py`", COLUMNS, lines)


async def sustained(extent: Extent) -> Section:
    """Task after task on one core: the CPU of everybody, with that of the workers that are made meanwhile.

    Most kernels count the CPU of processes in whole ticks of some milliseconds, which is as long as a worker lives: one
    round by itself says little.
    """
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        rounds = [await cpu_a_task(extent.sustained) for _ in range(extent.sustained_rounds)]
    finally:
        os.sched_setaffinity(0, cores)
    note = f"{min(rounds):.1f} to {max(rounds):.1f} in {len(rounds)} rounds"
    name = "ms of CPU a task on one core, with the refill"
    line = Line(name, measure=statistics.median(rounds), bound=SUSTAINED_BOUND, note=note)
    return Section("Sustained", COLUMNS, [line])


async def cpu_a_task(tasks: int) -> float:
    """Milliseconds of CPU, without what it takes to start and to end."""
    fewer, more = await cpu_of(tasks), await cpu_of(2 * tasks)
    return (more - fewer) / tasks * 1e3


async def cpu_of(tasks: int) -> float:
    """Seconds of CPU of this process and of all that it starts, until the last of them is gone."""
    before = cpu_so_far()
    async with provider(workers=4) as run:
        for _ in range(tasks):
            await run(**PRINT)
    return cpu_so_far() - before


def cpu_so_far() -> float:
    """Seconds of CPU of this process and of its descendants that are gone."""
    spent = [resource.getrusage(whose) for whose in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in spent)


async def inside(extent: Extent) -> Section:
    """Calls that the code makes, its end by force, and many tasks at once."""
    async with provider(calls={"max_calls": 100_000}) as run:
        empty = await milliseconds(lambda: run(code=NESTED, args=0))
        with brokered() as taken_by_broker:
            full = await milliseconds(lambda: run(code=NESTED, args=extent.calls))
        late = [await milliseconds(lambda: overrun(run)) - SPIN_SECONDS * 1e3 for _ in range(extent.kills)]
        taken, jitter = await crowd(run, extent.at_once)
    lines = [
        Line("ms of the broker in a nested call", measure=statistics.median(taken_by_broker), bound=NESTED_BOUND),
        Line("ms a nested call, there and back", (full - empty) / extent.calls),
        Line("ms from the time limit to the error", measure=statistics.median(late), bound=KILL_BOUND),
        Line(f"ms that {extent.at_once} at once hold up the loop", measure=jitter, bound=JITTER_BOUND),
        Line(f"ms for all {extent.at_once}", taken),
    ]
    return Section("Inside", COLUMNS, lines)


@contextmanager
def brokered() -> Generator[list[float]]:
    """Milliseconds from each frame of the code, as it comes, to the answer on its way back, all that is between."""
    take, write, taken, begun = Conversation.take, Conversation.write, list[float](), [0.0]

    def timed_take(conversation: Conversation, data: bytes) -> None:
        begun[0] = time.perf_counter()
        take(conversation, data)

    async def timed_write(conversation: Conversation, data: bytes) -> None:
        await write(conversation, data)
        taken.append((time.perf_counter() - begun[0]) * 1e3)

    with patch.object(Conversation, "take", timed_take), patch.object(Conversation, "write", timed_write):
        yield taken


async def overrun(run: Run) -> None:
    """Run code that does not end."""
    try:
        await run(code=SPIN, timeout=SPIN_SECONDS)
    except TimeoutError:
        return
    raise ContenderError("a loop without end has ended")


async def run_print(run: Run) -> None:
    """Run what every task does here."""
    await run(**PRINT)


async def crowd(run: Run, number: int) -> tuple[float, float]:
    """Milliseconds until so many tasks at once are done, and the most that a heart missed its beat meanwhile."""
    missed = taken = 0.0
    gc.collect()  # what was measured before leaves garbage, which is not this crowd's

    async def beat() -> None:
        nonlocal missed
        while True:
            begin = time.perf_counter()
            await anyio.sleep(0.005)
            missed = max(missed, time.perf_counter() - begin - 0.005)

    async with anyio.create_task_group() as heart:
        heart.start_soon(beat)
        begin = time.perf_counter()
        async with anyio.create_task_group() as tasks:
            for _ in range(number):
                tasks.start_soon(run_print, run)
        taken = (time.perf_counter() - begin) * 1e3
        heart.cancel_scope.cancel()
    return taken, missed * 1e3


async def in_containers(extent: Extent, *, with_peers: bool) -> Section:
    """The tier `docker`, and what others do with it."""
    title = "Containers"
    try:
        async with provider(tier="docker", docker={"pool_size": 2}) as run:
            mine: list[float] = []
            for _ in range(extent.rounds):
                await anyio.sleep(1)  # until the next container stands by
                mine.append(await milliseconds(lambda: run(**PRINT)))
    except (GleitzeitError, OSError) as error:
        return Section(title, COLUMNS, [Line("not measured", note=str(error))])
    own = statistics.median(mine)
    lines = [Line("ms of print(1), a warm container used once, p50", own, measure=own, bound=DOCKER_BOUND)]
    if with_peers:
        lines += [_beside(name, own, take) for name, take in containers.TAKES.items()]
    return Section(title, COLUMNS, lines)


def _beside(name: str, own: float, take: Callable[[], float]) -> Line:
    try:
        other = take()
    except (NotInstalledError, ContenderError, OSError, subprocess.SubprocessError) as error:
        return Line(f"{name}: not measured", note=str(error))
    return Line(f"ms of {name} / ours", own, other, other / own)


async def for_scale(extent: Extent) -> Section:
    """An interpreter of a subset of Python, which needs no kernel to keep code apart."""
    async with provider() as run:
        own = statistics.median([await milliseconds(lambda: run(**PRINT)) for _ in range(extent.rounds)])
    return Section("For scale", COLUMNS, [_beside("pydantic-monty, a subset of Python", own, monty.take)])


async def measured(extent: Extent, *, with_peers: bool) -> Sequence[Section]:
    """All of it, or the reason why there is nothing to show."""
    if sys.platform != "linux":
        return [Section("Sandbox", COLUMNS, [Line("not measured", note="ns and ll are tiers of Linux")])]
    sections = [await one_task(extent), await sustained(extent), await inside(extent)]
    sections.append(await in_containers(extent, with_peers=with_peers))
    return [*sections, await for_scale(extent)] if with_peers else sections


def main() -> None:
    """Measure and print."""
    options = parser_of(__doc__, peers="leave the others out").parse_args()
    extent = QUICK if options.quick else Extent()
    if options.rounds:
        extent = replace(extent, rounds=options.rounds)
    sections = anyio.run(lambda: measured(extent, with_peers=not options.no_peers))
    show(sections, options)


if __name__ == "__main__":
    main()
