"""What a file full of finished runs does to lists and to the start of an engine; prints JSON.

`python -m benchmarks.finished 10000`
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio

from benchmarks.contender import Shape, many_at_once
from benchmarks.ours import PROTOCOL, Answering, complete, registry_of, submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit.store.sqlite import SqliteStore

ROUNDS = 15
ONE = submission(Shape.SINGLE, 1)
LISTS: Sequence[dict[str, Any]] = (
    {},
    {"limit": 100},
    {"status": "completed"},
    {"status": "failed"},
    {"name": "workflow"},
    {"name": "nobody has this one"},
    {"caller": "local"},
)


async def fill(registry: ProtocolProviderRegistry, path: Path, runs: int) -> None:
    """Have so many runs finished in a file."""
    async with LocalEngine(registry, SqliteStore(path)) as engine:
        await many_at_once(lambda: complete(engine, ONE), runs)


async def list_seconds(registry: ProtocolProviderRegistry, path: Path) -> float:
    """Seconds that the slowest of the lists takes."""
    async with LocalEngine(registry, SqliteStore(path)) as engine:
        slowest = 0.0
        for query in LISTS:
            taken: list[float] = []
            for _ in range(ROUNDS):
                begin = time.perf_counter()
                await engine.list(**query)
                taken.append(time.perf_counter() - begin)
            slowest = max(slowest, statistics.median(taken))
        return slowest


async def start_seconds(registry: ProtocolProviderRegistry, path: Path) -> float:
    """Seconds from nothing to an acknowledged submit."""
    begin = time.perf_counter()
    async with LocalEngine(registry, SqliteStore(path)) as engine:
        accepted = await engine.submit(ONE)
        taken = time.perf_counter() - begin
        await engine.wait(accepted.id)
    return taken


async def measure(runs: int, folder: Path) -> dict[str, float]:
    """Seconds of a list and of a start with so many finished runs, and of a start with next to none."""
    full, empty = folder / "full.db", folder / "empty.db"
    registry = registry_of(Answering("bench", PROTOCOL.id))
    async with registry.running():
        await fill(registry, full, runs)
        await fill(registry, empty, 1)
        starts = [(await start_seconds(registry, full), await start_seconds(registry, empty)) for _ in range(ROUNDS)]
        return {
            "list": await list_seconds(registry, full),
            "start": statistics.median(start for start, _ in starts),
            "start_empty": statistics.median(start for _, start in starts),
        }


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="gleitzeit-bench-") as folder:
        print(json.dumps(anyio.run(measure, int(sys.argv[1]), Path(folder))))


if __name__ == "__main__":
    main()
