"""Clients that submit without pause to whatever server there is, and remember what was acknowledged."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.lowlevel
from tests.chaos.documents import Document, some
from tests.chaos.processes import Gone, Server
from tests.chaos.witness import Witness, noticed

from gleitzeit.core.errors import GleitzeitError


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A run that a server said it has; nobody may forget it any more."""

    key: str
    run_id: str
    document: Document


class Front:
    """Where clients find a server; while there is none, they wait."""

    def __init__(self) -> None:
        self._servers: list[Server] = []
        self._open = anyio.Event()

    def show(self, *servers: Server) -> None:
        """Send clients to these servers from now on."""
        self._servers = list(servers)
        self._open.set()

    def close(self) -> None:
        """Have clients wait."""
        self._servers = []
        if self._open.is_set():
            self._open = anyio.Event()

    async def server(self, chance: random.Random) -> Server:
        """One that is there."""
        while not self._servers:
            await self._open.wait()
        return chance.choice(self._servers)


@dataclass
class Clients:
    """So many clients at once, each with a chance of its own, until they are told that it is enough."""

    front: Front
    seed: int
    number: int = 20
    most_runs: int = 10_000
    acknowledged: list[Acknowledged] = field(default_factory=list[Acknowledged])
    refusals: list[GleitzeitError] = field(default_factory=list[GleitzeitError])
    enough: bool = False

    @asynccontextmanager
    async def submitting(self) -> AsyncGenerator[None]:
        """Have them submit until it is enough, and wait for what each still has to hear."""
        async with anyio.create_task_group() as group:
            for number in range(self.number):
                group.start_soon(self._client, number)
            yield
            self.enough = True

    async def grown(self, runs: int) -> None:
        """Return once so many more are acknowledged."""
        goal = len(self.acknowledged) + runs
        await noticed(lambda: len(self.acknowledged) >= goal)

    async def accept(self, key: str, document: Document, chance: random.Random) -> str:
        """The id of the run for that key, asked for until a server says it."""
        while True:
            server = await self.front.server(chance)
            try:
                run: dict[str, Any] = await server.ask("submit", document=document, key=key)
                return str(run["run_id"])
            except Gone:
                await server.gone.wait()
                await anyio.lowlevel.checkpoint()
            except GleitzeitError as error:
                if not error.retryable:
                    raise
                self.refusals.append(error)
                await anyio.sleep(0.05)

    async def _client(self, number: int) -> None:
        chance = random.Random(f"{self.seed} client {number}")
        turn = 0
        while not self.enough and len(self.acknowledged) < self.most_runs:
            turn += 1
            key, document = f"client {number}, turn {turn}", some(chance)
            run_id = await self.accept(key, document, chance)
            self.acknowledged.append(Acknowledged(key, run_id, document))
            if chance.random() < 0.7:
                await self._watch(run_id, chance)

    async def _watch(self, run_id: str, chance: random.Random) -> None:
        server = await self.front.server(chance)
        try:
            await server.ask("wait", run_id=run_id, timeout=1.0)
        except (Gone, GleitzeitError):
            return


async def all_over(server: Server, run_ids: Sequence[str], within: float = 60.0) -> dict[str, dict[str, Any]]:
    """The runs once each is over or waits for a decision."""
    ends: dict[str, dict[str, Any]] = {}

    async def one(run_id: str) -> None:
        ends[run_id] = await server.ask("wait", run_id=run_id)

    with anyio.move_on_after(within):
        async with anyio.create_task_group() as group:
            for run_id in run_ids:
                group.start_soon(one, run_id)
    missing = [await server.ask("get", run_id=run_id) for run_id in run_ids if run_id not in ends]
    assert not missing, f"{len(missing)} runs do not end, such as {missing[0]}"
    return ends


async def decide(server: Server, waiting: Sequence[str]) -> list[str]:
    """Have tasks whose end nobody saw run again, each in a new run; the ids of those."""
    resumed: list[str] = []
    for run_id in waiting:
        run = await server.ask("get", run_id=run_id)
        unknown = {key: "rerun" for key, task in run["tasks"].items() if task["status"] == "unknown"}
        assert unknown, run
        assert unknown.keys() <= {"once", "outer"}, run
        resumed.append((await server.ask("resume", run_id=run_id, unknown=unknown))["run_id"])
    return resumed


async def submitted(server: Server, document: dict[str, Any], times: int = 1) -> list[str]:
    """Submit a document so often; the ids of the runs."""
    return [(await server.ask("submit", document=document))["run_id"] for _ in range(times)]


async def held(witness: Witness, run_ids: Sequence[str], pid: int) -> None:
    """Return once all these runs are held at their gate in that process."""
    await witness.until(
        lambda lines: (
            set(run_ids) <= {line.run for line in lines if (line.what, line.task, line.pid) == ("start", "held", pid)}
        ),
        within=40,
    )
