"""Downstream servers, and what chance does to them."""

from __future__ import annotations

import json
import os
import random
import signal
import sys
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup
from tests.chaos.processes import ROOT

from gleitzeit.core.data import is_object

SERVERS = 6
MARK = "CHAOS_MARK"

DEEDS = {"kill": 3, "pause": 4, "stop": 1, "rave": 4}
"""What is done to a server, and how often."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one test's servers and their Gleitzeit are; its mark is in the command line or environment of each."""

    folder: Path
    mark: str

    @property
    def home(self) -> Path:
        """The home of the Gleitzeit."""
        return self.folder / "home"

    @property
    def journal(self) -> Path:
        """What the servers carried out; the name bears the mark."""
        return self.folder / f"journal-{self.mark}.jsonl"

    def executions(self) -> Counter[str]:
        """How often each call was carried out, by its id."""
        if not self.journal.exists():
            return Counter()
        lines = self.journal.read_text(encoding="utf-8").splitlines()
        return Counter(str(json.loads(line)["id"]) for line in lines)

    def section(self) -> dict[str, Any]:
        """The configuration of the hub."""
        return {"servers": [self._server(number) for number in range(SERVERS)]}

    def _server(self, number: int) -> dict[str, Any]:
        one_by_one = ["one-by-one"] if number % 3 == 2 else []
        module = "tests.chaos.journal_server"
        return {
            "name": f"s{number}",
            "command": [sys.executable, "-S", "-m", module, str(self.journal), *one_by_one],
            "working_dir": str(ROOT),
            "env": {"ERA": "modern" if number % 2 else "legacy"},
            "timeout": 5,
            **({} if number == 0 else {"max_restarts": 1000}),
        }

    def servers(self) -> list[int]:
        """The processes of the servers."""
        return [pid for pid in _processes() if self.mark.encode() in _read(pid, "cmdline")]

    def everyone(self) -> list[int]:
        """The same, and the Gleitzeit, and what else it has started."""
        marked = f"{MARK}={self.mark}".encode()
        servers = set(self.servers())
        return [pid for pid in _processes() if pid in servers or marked in _read(pid, "environ").split(b"\0")]

    async def all_gone(self, within: float) -> None:
        """Return once none of them is left."""
        left: list[int] = []
        with anyio.move_on_after(within):
            while left := self.everyone():
                await _ended(left[0])
        assert not left, {pid: _read(pid, "cmdline") for pid in self.everyone()}


@dataclass
class Torment:
    """Does to the servers of a place what chance says."""

    place: Place
    chance: random.Random
    done: Counter[str] = field(default_factory=Counter[str])

    async def go_on(self, seconds: float) -> None:
        """Torment them for so long."""
        async with anyio.create_task_group() as group:
            with anyio.move_on_after(seconds):
                while True:
                    await anyio.sleep(self.chance.uniform(0.02, 0.25))
                    self.strike(group)

    def strike(self, group: TaskGroup) -> None:
        """Do one thing to one of them."""
        pids = sorted(self.place.servers())
        if not pids:
            return
        victim = self.chance.choice(pids)
        [deed] = self.chance.choices(list(DEEDS), weights=list(DEEDS.values()))
        self.done[deed] += 1
        match deed:
            case "kill":
                _send(victim, signal.SIGKILL)
            case "pause":
                _send(victim, signal.SIGSTOP)
                group.start_soon(_wake, victim, self.chance.uniform(0.05, 1.0))
            case "stop":
                _send(victim, signal.SIGSTOP)
            case _:
                _send(victim, signal.SIGUSR1)


@dataclass(frozen=True, slots=True)
class Errand:
    """One call of a tool: `tool` says whether it may be made twice."""

    id: str
    server: int
    tool: str
    nap: float
    size: int

    @property
    def method(self) -> str:
        """How the hub knows it."""
        return f"mcp/tool.s{self.server}.{self.tool}"

    @property
    def parameters(self) -> dict[str, Any]:
        """What it is called with."""
        return {"id": self.id, "nap": self.nap, "payload": _payload(self.id, self.size)}

    def is_answered_by(self, result: Any) -> bool:
        """Whether that is the answer to this very call."""
        given = self.parameters
        return is_object(result) and all(result.get(key) == given[key] for key in ("id", "payload"))


def errand(chance: random.Random, name: str) -> Errand:
    """Some call."""
    size = chance.choice((0, 10, 1_000, 30_000))
    nap = round(chance.choice((0.0, chance.uniform(0.0, 0.05), chance.uniform(0.0, 0.6))), 3)
    return Errand(name, chance.randrange(SERVERS), chance.choice(("once", "once", "again", "look")), nap, size)


def _payload(name: str, size: int) -> str:
    return (f"{name} ä " * (size // len(name) + 1))[:size]


async def _wake(pid: int, after: float) -> None:
    await anyio.sleep(after)
    _send(pid, signal.SIGCONT)


def _send(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _processes() -> list[int]:
    return [
        int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and entry.name != str(os.getpid())
    ]


def _read(pid: int, what: str) -> bytes:
    try:
        return Path("/proc", str(pid), what).read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return b""


async def _ended(pid: int) -> None:
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        await anyio.wait_readable(watched)  # readable as soon as the process has ended
    finally:
        os.close(watched)
