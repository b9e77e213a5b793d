"""The clock on the wall jumps an hour back and forth: what waits, waits as long as it was to, and no lease lapses."""

from __future__ import annotations

import random
import struct
from collections.abc import Sequence
from contextlib import aclosing
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.chaos.clients import Clients, Front, all_over, decide, held, submitted
from tests.chaos.conftest import WHOLE
from tests.chaos.documents import gated
from tests.chaos.processes import Fleet
from tests.chaos.verdict import check_consistency, check_executions, everything, open_runs
from tests.chaos.witness import Sighting, Witness

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(600)]

HOUR = 3600.0
DELAY = 1.0
LIMIT = 2.0
SLACK = 4.0
"""Seconds that a busy machine may take to start a process or to notice something."""


class WallClock:
    """How far the clock on the wall is off, for all servers that are started with it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.jump(0.0)

    def jump(self, seconds: float) -> None:
        """Be off by so much from now on."""
        with self.path.open("r+b" if self.path.exists() else "wb") as file:
            file.write(struct.pack("d", seconds))


@pytest.fixture
def wall_clock(tmp_path: Path) -> WallClock:
    return WallClock(tmp_path / "offset")


def again() -> dict[str, Any]:
    """A task that fails once and is tried again after a delay."""
    retry = {"max_attempts": 5, "delay": DELAY}
    task = {"id": "again", "method": "chaos/step", "parameters": {"failures": 1, "value": "again"}, "retry": retry}
    return {"name": "again", "tasks": [task]}


def napping(seconds: float, **fields: Any) -> dict[str, Any]:
    """A task that naps, with a limit for its attempt or its run."""
    settings = fields.pop("settings", {})
    task = {"id": "nap", "method": "chaos/step", "parameters": {"nap": seconds, "value": "nap"}, **fields}
    return {"name": "napping", "tasks": [task], "settings": settings}


def pauses(lines: Sequence[Sighting], run: str) -> list[float]:
    """The seconds between the attempts of the task `again`."""
    times = [line.at for line in lines if (line.what, line.run, line.task) == ("start", run, "again")]
    return [later - earlier for earlier, later in pairwise(times)]


JUMPS = {"to and fro": (HOUR, -HOUR, 0.0), **({"on": (HOUR,), "back": (-HOUR,)} if WHOLE else {})}


@pytest.mark.parametrize("jumps", JUMPS.values(), ids=JUMPS)
async def test_what_waits_in_one_process_waits_no_longer_and_no_shorter(
    jumps: Sequence[float], wall_clock: WallClock, fleet: Fleet, witness: Witness
) -> None:
    server = await fleet.start(offset=str(wall_clock.path))
    [retried] = await submitted(server, again())
    patient = await submitted(server, napping(0.7, timeout=60), 2)
    patient += await submitted(server, napping(0.7, settings={"timeout": 60}), 2)
    impatient = [*await submitted(server, napping(90, timeout=0.7)), *await submitted(server, LIMITED)]
    await witness.until(lambda lines: {retried, *patient, *impatient} <= {line.run for line in lines})
    for seconds in jumps:
        wall_clock.jump(seconds)
        await server.ask("ping")
    ends = await all_over(server, [retried, *patient, *impatient], within=20)
    assert {ends[run_id]["status"] for run_id in [retried, *patient]} == {"completed"}
    assert {ends[run_id]["status"] for run_id in impatient} == {"failed"}
    [pause] = pauses(witness.lines(), retried)
    assert DELAY * 0.99 <= pause <= DELAY * 1.25 + SLACK, pause


LIMITED = napping(90, settings={"timeout": 0.7})


@pytest.mark.parametrize("jump", [HOUR, -HOUR], ids=["on", "back"])
async def test_what_waits_across_a_crash_is_off_by_no_more_than_its_own_delay(
    jump: float, wall_clock: WallClock, fleet: Fleet, witness: Witness
) -> None:
    server = await fleet.start(offset=str(wall_clock.path))
    [retried] = await submitted(server, again())
    [limited] = await submitted(server, napping(90, settings={"timeout": LIMIT}))
    [patient] = await submitted(server, napping(1.0, settings={"timeout": 60}, timeout=50))
    await witness.until(lambda lines: {retried, limited, patient} <= {line.run for line in lines})
    with anyio.fail_after(10):
        async with aclosing(server.events(retried)) as events:
            async for event in events:
                if event["kind"] == "task.retrying":
                    break
    begun = anyio.current_time()
    await server.kill()
    wall_clock.jump(jump)
    server = await fleet.start(offset=str(wall_clock.path))
    lasted: list[float] = []
    ends: dict[str, Any] = {}

    async def time_limited() -> None:
        assert (await server.ask("wait", run_id=limited))["status"] == "failed"
        lasted.append(anyio.current_time() - begun)

    async with anyio.create_task_group() as group:
        group.start_soon(time_limited)
        ends |= await all_over(server, [retried, patient], within=15)
    assert {run["status"] for run in ends.values()} == {"completed"}
    [pause] = pauses(witness.lines(), retried)
    assert pause <= 2 * DELAY * 1.25 + SLACK, pause
    assert LIMIT - 1.5 <= lasted[0] <= LIMIT + SLACK


async def test_no_lease_lapses_because_the_clock_jumped(wall_clock: WallClock, fleet: Fleet, witness: Witness) -> None:
    offset = str(wall_clock.path)
    owner, other, third = await fleet.start_several(3, offset=offset)
    run_ids = await submitted(owner, gated("gate"), 3)
    await held(witness, run_ids, owner.pid)
    for seconds in (HOUR, -HOUR, 24 * HOUR):
        wall_clock.jump(seconds)
        [orphan] = await submitted(third, gated("gate"))
        await held(witness, [orphan], third.pid)
        await third.kill()
        await witness.until(lambda lines, orphan=orphan, dead=third: _taken(lines, orphan, dead.pid))  # type: ignore[misc]
        third = await fleet.start(offset=offset)
    for server in (owner, other, third):
        await server.ask("open", gate="gate")
    ends = await all_over(owner, run_ids)
    assert {run["status"] for run in ends.values()} == {"completed"}
    assert {line.pid for line in witness.starts() if line.run in run_ids} == {owner.pid}


def _taken(lines: Sequence[Sighting], run: str, dead: int) -> bool:
    """Whether another process than the dead one carries the run out by now: it has looked for what is left."""
    return any((line.run, line.task) == (run, "held") and line.pid != dead for line in lines)


async def test_no_run_is_lost_while_the_clock_jumps_and_the_server_is_killed(
    wall_clock: WallClock, fleet: Fleet, witness: Witness, chance: random.Random, seed: int, whole: bool
) -> None:
    front = Front()
    clients = Clients(front, seed)
    async with clients.submitting():
        for _ in range(15 if whole else 1):
            server = await fleet.start(offset=str(wall_clock.path))
            front.show(server)
            for _ in range(3):
                await witness.grown(chance.randint(10, 60))
                wall_clock.jump(chance.choice((-HOUR, 0.0, HOUR)))
            front.close()
            await server.kill()
        last = await fleet.start(offset=str(wall_clock.path))
        front.show(last)
    everyone = set(await open_runs(fleet.setup.database)) | {one.run_id for one in clients.acknowledged}
    ends = await all_over(last, sorted(everyone), within=30)
    await all_over(last, await decide(last, [key for key, run in ends.items() if run["status"] == "waiting"]))
    runs = await everything(fleet.setup.database)
    check_consistency(runs.values())
    check_executions(runs, witness.lines())
