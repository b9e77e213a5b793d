"""Downstream servers that are killed, stopped and rave lose no result, double none, and leave nobody waiting."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from tests.chaos.processes import ROOT
from tests.chaos.torment import MARK, SERVERS, Errand, Place, Torment, errand
from tests.chaos.verdict import Recorded, check_consistency, check_integrity, everything

from gleitzeit import GleitzeitClient
from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderUnavailableError
from gleitzeit.core.models import OVER
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit.store.base import TaskRow
from gleitzeit_mcp import MCPHubProvider
from gleitzeit_mcp.servers import liveness

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(900),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for processes in /proc"),
]

GONE = (ConnectionLostError, ProviderUnavailableError)
"""What a client sees of a server that is not there any more."""

SUBMITTERS = 4
CALLERS = 8


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """The servers of one test."""
    place = Place(tmp_path, uuid.uuid4().hex)
    place.home.mkdir()
    configuration = {"mcp": place.section(), "limits": {"result_tokens": 500_000}}
    (place.home / "config.yaml").write_text(json.dumps(configuration), encoding="utf-8")
    return place


@dataclass
class Host:
    """Where submitters find the Gleitzeit; while there is none, they wait."""

    address: str | None = None
    changed: anyio.Event = field(default_factory=anyio.Event)

    def show(self, address: str | None) -> None:
        """From now on it is there."""
        self.address = address
        changed, self.changed = self.changed, anyio.Event()
        changed.set()

    async def found(self) -> str:
        """Its address."""
        while self.address is None:
            await self.changed.wait()
        return self.address


@dataclass
class Submitters:
    """Submit workflows without a pause, and remember which errands were acknowledged."""

    host: Host
    seed: int
    errands: dict[str, list[Errand]] = field(default_factory=dict[str, list[Errand]])
    enough: bool = False
    left: int = SUBMITTERS
    gone: anyio.Event = field(default_factory=anyio.Event)

    @asynccontextmanager
    async def submitting(self) -> AsyncGenerator[None]:
        """Have them submit until they are told that it is enough."""
        async with anyio.create_task_group() as group:
            for number in range(SUBMITTERS):
                group.start_soon(self._submitter, number)
            yield

    async def end(self) -> None:
        """Have each submit what it is at, and no more."""
        self.enough = True
        with anyio.fail_after(20):
            await self.gone.wait()

    async def _submitter(self, number: int) -> None:
        chance = random.Random(f"{self.seed} submitter {number}")
        turn = 0
        while not self.enough:
            turn += 1
            key = f"{number}.{turn}"
            errands = [errand(chance, f"{key}.{count}") for count in range(chance.randint(3, 6))]
            await self._acknowledged(key, errands, chance.uniform(0.0, 1.0))
        self.left -= 1
        if not self.left:
            self.gone.set()

    async def _acknowledged(self, key: str, errands: list[Errand], watched: float) -> None:
        document = workflow(errands)
        while True:
            address = await self.host.found()
            try:
                async with GleitzeitClient(mode="mcp", url=address) as client:
                    run = await client.submit_workflow(document, idempotency_key=key)
                    self.errands[run.id] = errands
                    with anyio.move_on_after(watched):
                        async for _ in client.events(run.id):
                            pass
                    return
            except GONE:
                if any(each is errands for each in self.errands.values()):
                    return
                await anyio.sleep(0.05)


def workflow(errands: list[Errand]) -> dict[str, Any]:
    """Some errands, the last of them after the others."""
    *first, last = [
        {
            "id": f"t{number}",
            "method": each.method,
            "parameters": each.parameters,
            "timeout": 1.5,
            "on_error": "continue",
            "retry": {"max_attempts": 3, "delay": 0.05, "max_delay": 0.2},
        }
        for number, each in enumerate(errands)
    ]
    after = {"dependencies": [task["id"] for task in first], "trigger_rule": "all_done"}
    return {"name": "errands", "tasks": [*first, {**last, **after}]}


@asynccontextmanager
async def serving(place: Place) -> AsyncGenerator[tuple[Process, str]]:
    """A Gleitzeit that serves at the address, and is killed at the end of the block where it lives still."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GLEITZEIT_")}
    environment = {**kept, "GLEITZEIT_HOME": str(place.home), MARK: place.mark}
    command = [sys.executable, "-m", "tests.chaos.hub_host", "serve", "--port", "0"]
    log = place.folder / "gleitzeit.log"
    with log.open("ab") as stderr:
        process = await anyio.open_process(
            command, stdin=subprocess.DEVNULL, stderr=stderr, cwd=ROOT, env=environment, start_new_session=True
        )
    try:
        yield process, await _address(process, log)
    finally:
        with suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await process.aclose()


async def _address(process: Process, log: Path) -> str:
    assert process.stdout is not None
    said = b""
    try:
        while not said.strip().endswith(b"/mcp"):
            said += await process.stdout.receive()
    except anyio.EndOfStream:
        said = await anyio.Path(log).read_bytes()
        raise AssertionError(f"it does not serve: {said.decode(errors='replace')[-4000:]}") from None
    return said.decode().strip()


async def test_every_call_of_a_tormented_server_ends_once_and_honestly(
    place: Place, chance: random.Random, seed: int, whole: bool
) -> None:
    host = Host()
    submitters = Submitters(host, seed)
    torment = Torment(place, chance)
    async with submitters.submitting():
        for _ in range(10 if whole else 1):
            async with serving(place) as (gleitzeit, address):
                host.show(address)
                await torment.go_on(chance.uniform(3.0, 9.0) if whole else 1.5)
                host.show(None)
                os.kill(gleitzeit.pid, signal.SIGKILL)
                await gleitzeit.wait()
                await place.all_gone(within=8)
        async with serving(place) as (gleitzeit, address):
            host.show(address)
            await torment.go_on(10.0 if whole else 1.0)
            await submitters.end()
            runs = await settled(place, submitters.errands, within=40)
            os.kill(gleitzeit.pid, signal.SIGTERM)
            assert await gleitzeit.wait() == 0
            await place.all_gone(within=8)
    check_integrity(place.home / "gleitzeit.db")
    check_consistency(runs.values())
    check_errands(runs, submitters.errands, place)


async def settled(place: Place, accepted: Collection[str], within: float) -> Mapping[str, Recorded]:
    """The runs of the place once each is over, or waits because nobody knows what became of a task."""
    database = place.home / "gleitzeit.db"
    runs: Mapping[str, Recorded] = {}
    with anyio.move_on_after(within):
        while True:
            runs = await everything(database)
            if all(_is_settled(run) for run in runs.values()) and set(accepted) <= runs.keys():
                return runs
            await anyio.sleep(0.2)
    hung = [run for run in runs.values() if not _is_settled(run)]
    raise AssertionError(f"{len(hung)} runs do not end, such as {hung[:1]}; lost: {set(accepted) - runs.keys()}")


def _is_settled(run: Recorded) -> bool:
    if run.state in OVER:
        return True
    states = {row.state for row in run.snapshot.tasks.values()}
    return run.state == "waiting" and "unknown" in states and not states & {"running", "ready"}


def check_errands(runs: Mapping[str, Recorded], errands: Mapping[str, list[Errand]], place: Place) -> None:
    """Each task tells the truth about what its server did."""
    executions = place.executions()
    assert sum(executions.values()) > 0
    for run_id, each in errands.items():
        for number, one in enumerate(each):
            row = runs[run_id].snapshot.tasks.get(f"t{number}")
            if row is None or row.state == "pending":  # it comes after one of which nobody knows what became
                assert (runs[run_id].state, executions[one.id]) == ("waiting", 0), (one, runs[run_id])
            else:
                check_outcome(one, row, executions[one.id])
    asked = {one.id for each in errands.values() for one in each}
    assert any(row.state == "completed" for run in runs.values() for row in run.snapshot.tasks.values())
    strangers = executions.keys() - asked
    assert not strangers, strangers


def check_outcome(one: Errand, row: TaskRow, executions: int) -> None:
    """The row of a call against how often it was carried out."""
    if row.state == "completed":
        assert one.is_answered_by(row.result), (one, row)
        assert executions >= 1, (one, row)
    if one.tool != "once":
        assert row.state in ("completed", "failed"), (one, row)
        return
    assert executions <= 1, (one, row, executions)
    if row.state == "failed":
        assert row.failure is not None
        assert not row.failure.ambiguous, (one, row)
        assert executions == 0, (one, row)


async def test_a_hub_is_itself_again_as_soon_as_its_servers_are_left_alone(
    place: Place, chance: random.Random, seed: int, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(liveness, "PING_INTERVAL", 2.0)
    monkeypatch.setattr(liveness, "PING_LIMIT", 1.0)
    torment = Torment(place, chance)
    calls = Calls(seed)
    hub = MCPHubProvider("mcp", place.section())
    async with anyio.create_task_group() as tasks:
        await tasks.start(hub.serve)
        for number in range(SERVERS):
            await hub.connection(f"s{number}").ready(20)
        async with anyio.create_task_group() as group:
            for number in range(CALLERS):
                group.start_soon(calls.caller, hub, number)
            await torment.go_on(30.0 if whole else 1.5)
            calls.enough = True
        for number in range(SERVERS):
            await revived(hub, number, within=15)
        tasks.cancel_scope.cancel()
    await place.all_gone(within=5)
    calls.check(place)


@dataclass
class Calls:
    """Calls that are made straight to a hub, and what became of each."""

    seed: int
    outcomes: list[tuple[Errand, Any]] = field(default_factory=list[tuple[Errand, Any]])
    enough: bool = False

    async def caller(self, hub: MCPHubProvider, number: int) -> None:
        """Call one tool after the other."""
        chance = random.Random(f"{self.seed} caller {number}")
        turn = 0
        while not self.enough:
            turn += 1
            one = errand(chance, f"{number}.{turn}")
            with anyio.fail_after(12):  # a second and a half of its own, and what it takes to put a server away
                self.outcomes.append((one, await outcome(hub, one, 1.5)))

    def check(self, place: Place) -> None:
        """Each answer is the right one, and each error tells the truth."""
        executions = place.executions()
        answers = 0
        for one, result in self.outcomes:
            count = executions[one.id]
            if isinstance(result, GleitzeitError):
                assert one.tool != "once" or count <= result.ambiguous, (one, result, count)
            else:
                answers += 1
                assert one.is_answered_by(result), (one, result)
                assert count == 1 or (one.tool != "once" and count > 1), (one, count)
        assert answers > 0


async def outcome(hub: MCPHubProvider, one: Errand, within: float) -> Any:
    """The result of a call, or its error."""
    leave = enter_task(TaskContext(run_id=one.id, deadline=time.monotonic() + within))
    try:
        return await hub.handle_request(one.method, one.parameters)
    except GleitzeitError as error:
        return error
    finally:
        leave()


async def revived(hub: MCPHubProvider, number: int, within: float) -> None:
    """Return once a server answers again."""
    outcomes: list[Any] = []
    with anyio.move_on_after(within):
        while True:
            one = Errand(f"revived {number}.{len(outcomes)}", number, "look", 0.0, 10)
            outcomes.append(await outcome(hub, one, 1.5))
            if one.is_answered_by(outcomes[-1]):
                return
            await anyio.sleep(0.1)
    raise AssertionError((hub.connection(f"s{number}").to_dict(), outcomes))
