"""What the engine costs, as ratios: against the least that anyio can do, and of large runs against small ones.

`python benchmarks/engine.py [--json] [--rounds N]`. CPU time of this process, engine and floor by turns.
"""

from __future__ import annotations

import argparse
import gc
import json
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

import anyio

from gleitzeit.core.models import Workflow
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry

TASKS = 1_000
LARGE = 30_000
FLOOR_TARGET = 3.0
LARGE_TARGET = 1.5


class Nothing(ProtocolProvider):
    """Does nothing, as a provider."""

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Return an empty result."""
        return {}


@dataclass(frozen=True, slots=True)
class Line:
    """One comparison; times are microseconds of CPU a task, `ratio` is the median of the rounds."""

    name: str
    engine: float
    against: float
    ratio: float
    target: float


def wide(tasks: int) -> Workflow:
    """Tasks that wait for nobody."""
    return Workflow.model_validate({"tasks": [{"id": f"t{n}", "method": "nothing/do"} for n in range(tasks)]})


def chain(tasks: int) -> Workflow:
    """Tasks of which each waits for the one before."""
    return Workflow.model_validate(
        {
            "tasks": [
                {"id": f"t{n}", "method": "nothing/do", "dependencies": [f"t{n - 1}"] if n else []}
                for n in range(tasks)
            ]
        }
    )


async def engine_run(workflow: Workflow) -> None:
    """Run a workflow through the registry and the engine."""
    registry = ProtocolProviderRegistry()
    registry.register_provider("nothing/v1", Nothing("nothing", "nothing/v1"))
    async with registry.running(), LocalEngine(registry) as engine:
        await registry.execute("nothing/do", {})
        run = await engine.submit(Submission(workflow))
        await engine.wait(run.id)
        final = await engine.get(run.id)
        if final.status != "completed":
            raise RuntimeError(f"the run is {final.status}: {final.error}")


async def floor_run(tasks: int, in_chain: bool) -> None:
    """Spawn, `fail_after` and one hop over a stream for each task, all at once or each after the one before."""
    send, receive = anyio.create_memory_object_stream[int](tasks)

    async def task(number: int) -> None:
        with anyio.fail_after(300):
            await send.send(number)

    async with send, receive, anyio.create_task_group() as group:
        if not in_chain:
            for number in range(tasks):
                group.start_soon(task, number)
        for number in range(tasks):
            if in_chain:
                group.start_soon(task, number)
            await receive.receive()


def cpu(work: Callable[[], Awaitable[None]]) -> float:
    """Seconds of CPU that `work` takes in an event loop of its own."""
    gc.collect()
    begin = time.process_time()
    anyio.run(work)
    return time.process_time() - begin


def against_floor(name: str, workflow: Workflow, in_chain: bool, rounds: int) -> Line:
    """The engine against the floor on as many tasks."""
    tasks = len(workflow.tasks)
    engine = Sampled(lambda: engine_run(workflow), tasks)
    floor = Sampled(lambda: floor_run(tasks, in_chain), tasks)
    for _ in range(rounds):
        engine.take()
        floor.take()
    return Line(name, engine.least, floor.least, engine.ratio_to(floor), FLOOR_TARGET)


def against_small(name: str, build: Callable[[int], Workflow], rounds: int) -> Line:
    """What a task costs in a large run against one in a small run."""
    small_workflow, large_workflow = build(TASKS), build(LARGE)
    large = Sampled(lambda: engine_run(large_workflow), LARGE)
    small = Sampled(lambda: engine_run(small_workflow), TASKS)
    for _ in range(rounds):
        small.take()
        large.take()
    return Line(name, large.least, small.least, large.ratio_to(small), LARGE_TARGET)


class Sampled:
    """Rounds of one measurement, in microseconds a task."""

    def __init__(self, work: Callable[[], Awaitable[None]], tasks: int) -> None:
        self._work = work
        self._tasks = tasks
        self._samples: list[float] = []

    def take(self) -> None:
        """Measure one round."""
        self._samples.append(cpu(self._work) / self._tasks * 1e6)

    @property
    def least(self) -> float:
        """The best round, which the rest of the machine disturbed least."""
        return min(self._samples)

    def ratio_to(self, other: Sampled) -> float:
        """The median of the ratios round by round."""
        return statistics.median(mine / theirs for mine, theirs in zip(self._samples, other._samples, strict=True))


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    rounds: int = options.rounds
    lines = [
        against_floor(f"{TASKS:,} wide / anyio", wide(TASKS), False, rounds),
        against_floor(f"{TASKS:,} chain / anyio", chain(TASKS), True, rounds),
        against_small(f"wide, {LARGE:,} / {TASKS:,}", wide, max(2, rounds // 2)),
        against_small(f"chain, {LARGE:,} / {TASKS:,}", chain, max(2, rounds // 2)),
    ]
    if options.json:
        json.dump([asdict(line) for line in lines], sys.stdout, indent=2)
        print()
        return
    print(f"{'':26}{'us a task':>12}{'against':>12}{'ratio':>8}{'target':>8}")
    for line in lines:
        print(f"{line.name:26}{line.engine:12.1f}{line.against:12.1f}{line.ratio:8.2f}{line.target:8.1f}")


if __name__ == "__main__":
    main()
