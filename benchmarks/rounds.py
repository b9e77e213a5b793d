"""Processes that are measured in turns, so that all of them see the same machine."""

from __future__ import annotations

import json
import statistics
import subprocess
import tempfile
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from benchmarks.contender import Shape

ROOT = Path(__file__).parents[1]

Key = TypeVar("Key", bound=Hashable)


class ContenderError(Exception):
    """A process ended instead of answering; the message has the last line that it wrote."""


class Process:
    """A contender in a process of its own, warm from one measurement to the next; a context manager."""

    def __init__(self, name: str, command: Sequence[str | Path]) -> None:
        self.name = name
        self.version = ""
        self._command = command

    def __enter__(self) -> Self:
        self._errors = tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            cwd=ROOT,
        )
        try:
            self.version = self._answer()["version"]
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def take(self, shape: Shape, tasks: int) -> float:
        """Microseconds of CPU a task."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"shape": shape, "tasks": tasks}) + "\n")
        self._process.stdin.flush()
        seconds: float = self._answer()["cpu"]
        return seconds / tasks * 1e6

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self._errors.seek(0)
            said = self._errors.read().strip().splitlines() or ["without a word"]
            raise ContenderError(f"{self.name} ended: {said[-1].strip()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._errors.close()


@dataclass(frozen=True, slots=True)
class Entry:
    """What a process has to do in each round; of several `repeats` the median counts."""

    process: Process
    shape: Shape
    tasks: int
    repeats: int = 1

    def take(self) -> float:
        """Microseconds of CPU a task in one round."""
        return statistics.median(self.process.take(self.shape, self.tasks) for _ in range(self.repeats))


class Samples(Generic[Key]):
    """What each entry took in each round."""

    def __init__(self, taken: Mapping[Key, Sequence[float]]) -> None:
        self._taken = taken

    def median(self, entry: Key) -> float:
        """The middle one of its rounds."""
        return statistics.median(self._taken[entry])

    def ratio(self, entry: Key, yardstick: Key) -> float:
        """How many times the yardstick it took: the median of the ratios round by round."""
        pairs = zip(self._taken[entry], self._taken[yardstick], strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)


def by_turns(takes: Mapping[Key, Callable[[], float]], rounds: int) -> Samples[Key]:
    """Take all measurements round by round."""
    taken: dict[Key, list[float]] = {entry: [] for entry in takes}
    for _ in range(rounds):
        for entry, take in takes.items():
            taken[entry].append(take())
    return Samples(taken)


def in_turns(entries: Sequence[Entry], rounds: int, warming: int = 1_000_000) -> Samples[Entry]:
    """Microseconds of CPU a task, of all entries; what they do before, with at most `warming` tasks, is not counted."""
    for entry in entries:
        entry.process.take(entry.shape, min(entry.tasks, warming))
    return by_turns({entry: entry.take for entry in entries}, rounds)
