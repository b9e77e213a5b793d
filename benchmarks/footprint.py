"""What a large `foreach` takes before it has done anything, in a fresh process; prints JSON.

`python -m benchmarks.footprint 100000`
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import anyio

from benchmarks.contender import Shape
from benchmarks.ours import PROTOCOL, Answering, complete, registry_of, submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.store.sqlite import SqliteStore

WARMING = 100
AT_ONCE = 16


class Holding(Answering):
    """Lets nothing end once it is `held`; `first` is when the first request came, `full` when no more can come."""

    def __init__(self) -> None:
        super().__init__("bench", PROTOCOL.id)
        self.held = False
        self.first = 0.0
        self.full = anyio.Event()
        self._begun = 0

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Answer, or never answer."""
        if not self.held:
            return await super().handle_request(method, parameters)
        self.first = self.first or time.perf_counter()
        self._begun += 1
        if self._begun == AT_ONCE:
            self.full.set()
        return await anyio.sleep_forever()


def resident() -> int:
    """Bytes of memory that this process has; where the system does not tell, the most that it ever had."""
    gc.collect()
    statm = Path("/proc/self/statm")
    if statm.exists():
        return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


async def measure(items: int, path: Path) -> dict[str, float]:
    """Bytes a pending item, and seconds from submit to the start of the first one."""
    provider = Holding()
    registry = registry_of(provider)
    async with registry.running(), LocalEngine(registry, SqliteStore(path)) as engine:
        await complete(engine, submission(Shape.ITEMS, WARMING))
        submitted = submission(Shape.ITEMS, items)
        provider.held = True
        before, begin = resident(), time.perf_counter()
        await engine.submit(submitted)
        await provider.full.wait()
        return {"bytes": (resident() - before) / items, "first": provider.first - begin}


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="gleitzeit-bench-") as folder:
        print(json.dumps(anyio.run(measure, int(sys.argv[1]), Path(folder, "gleitzeit.db"))))


if __name__ == "__main__":
    main()
