"""What tasks really did, as an outside file has it that no crash of a server can take back."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import anyio

LOOK = 0.002


async def noticed(holds: Callable[[], bool]) -> None:
    """Return soon after it holds: for what happens in another process, and tells nobody here."""
    while not holds():  # noqa: ASYNC110 - nothing here is told of it
        await anyio.sleep(LOOK)


@dataclass(frozen=True, slots=True)
class Sighting:
    """One line: a task started, ended, or ignored its cancellation. `at` is on the clock that nobody can set."""

    what: str
    method: str
    run: str
    task: str
    attempt: int
    pid: int
    at: float


@dataclass(frozen=True, slots=True)
class Witness:
    """The file that all servers of a place append to."""

    path: Path

    def lines(self) -> Sequence[Sighting]:
        """Everything so far, in order."""
        if not self.path.exists():
            return []
        whole, _, _ = self.path.read_text(encoding="utf-8").rpartition("\n")  # the last line may be under way
        return [Sighting(**json.loads(line)) for line in whole.splitlines()]

    def starts(self, run: str | None = None, task: str | None = None) -> Sequence[Sighting]:
        """The starts of a run's task, or of all."""
        return [line for line in self.lines() if line.what == "start" and run in (None, line.run) and _is(task, line)]

    async def until(self, fits: Callable[[Sequence[Sighting]], bool], within: float = 20.0) -> Sequence[Sighting]:
        """What it says as soon as that fits."""
        with anyio.fail_after(within):
            await noticed(lambda: fits(self.lines()))
        return self.lines()

    async def grown(self, lines: int) -> None:
        """Return once the file has so many lines more; cheap, however long it is."""
        size = self.path.stat().st_size if self.path.exists() else 0
        await noticed(lambda: self._count_after(size) >= lines)

    def _count_after(self, size: int) -> int:
        if not self.path.exists():
            return 0
        with self.path.open("rb") as file:
            file.seek(size)
            return file.read().count(b"\n")


def _is(task: str | None, line: Sighting) -> bool:
    return task in (None, line.task)


def first_start(lines: Sequence[Sighting], run: str, task: str) -> float:
    """When a task was started first; never, where it was not."""
    return min(
        (line.at for line in lines if (line.what, line.run, line.task) == ("start", run, task)), default=math.inf
    )
