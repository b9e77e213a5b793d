"""A loss of power, by simulation: whatever the disk had not been told to keep is gone or garbage."""

from __future__ import annotations

import random
import shutil
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from tests.chaos.clients import Acknowledged, Clients, Front, all_over, decide
from tests.chaos.processes import Fleet, Server, Setup
from tests.chaos.verdict import check_consistency, check_executions, check_integrity, everything, open_runs
from tests.chaos.wal import Damage, Frozen, freeze, lose_power, read_log
from tests.chaos.witness import Witness

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]

CLIENTS = 20


@dataclass(frozen=True, slots=True)
class Instant:
    """Everything as it stood at one instant of a busy server."""

    frozen: Frozen
    witness: Path
    acknowledged: tuple[Acknowledged, ...]
    setup: Setup


async def photographed(server: Server, setup: Setup, clients: Clients, folder: Path) -> Instant:
    """Hold the server up for as long as it takes to copy its files."""
    acknowledged = tuple(clients.acknowledged)
    await server.stop()
    try:
        frozen = freeze(setup.database, folder)
        copy = folder / "witness.jsonl"
        shutil.copyfile(setup.witness, copy)
    finally:
        server.go_on()
    return Instant(frozen, copy, acknowledged, Setup(frozen.database, copy, setup.options))


async def photographs(
    fleet: Fleet, witness: Witness, chance: random.Random, seed: int, times: int, folder: Path
) -> list[Instant]:
    """Instants of a server that twenty clients keep busy."""
    front, instants = Front(), list[Instant]()
    clients = Clients(front, seed, CLIENTS)
    server = await fleet.start()
    front.show(server)
    async with clients.submitting():
        for number in range(times):
            await witness.grown(chance.randint(10, 120))
            await anyio.sleep(chance.uniform(0.0, 0.01))
            instants.append(await photographed(server, fleet.setup, clients, folder / str(number)))
    await server.kill()
    return instants


async def go_on(instant: Instant) -> None:
    """Carry on from what is left until all is over."""
    async with Fleet(instant.setup) as fleet:
        server = await fleet.start()
        ends = await all_over(server, await open_runs(instant.frozen.database))
        await all_over(server, await decide(server, [key for key, run in ends.items() if run["status"] == "waiting"]))
        assert await server.leave() == 0, fleet.said(server)


async def test_what_was_acknowledged_survives_a_loss_of_power(
    fleet: Fleet, witness: Witness, chance: random.Random, seed: int, whole: bool, tmp_path: Path
) -> None:
    for instant in await photographs(fleet, witness, chance, seed, 20 if whole else 1, tmp_path / "instants"):
        log = read_log(instant.frozen)
        damage: Damage = chance.choice(("cut", "zeros", "noise"))
        lose_power(instant.frozen, chance.randint(log.end, instant.frozen.log.stat().st_size), damage, chance)
        check_integrity(instant.frozen.database)
        runs = await everything(instant.frozen.database)
        assert {one.run_id for one in instant.acknowledged} <= runs.keys()
        check_consistency(runs.values())
        await go_on(instant)
        runs = await everything(instant.frozen.database)
        check_consistency(runs.values())
        check_executions(runs, Witness(instant.witness).lines())


async def test_a_disk_that_lied_costs_the_newest_runs_and_nothing_else(
    fleet: Fleet, witness: Witness, chance: random.Random, seed: int, whole: bool, tmp_path: Path
) -> None:
    for instant in await photographs(fleet, witness, chance, seed, 20 if whole else 1, tmp_path / "instants"):
        log = read_log(instant.frozen)
        lose_power(instant.frozen, chance.randint(min(log.checkpointed, log.end), log.end), "cut", chance)
        check_integrity(instant.frozen.database)
        runs = await everything(instant.frozen.database)
        check_consistency(runs.values())
        order = [one.run_id in runs for one in instant.acknowledged]
        first_lost = order.index(False) if False in order else len(order)
        assert sum(order[first_lost:]) <= CLIENTS, order
        await go_on(instant)
        check_consistency((await everything(instant.frozen.database)).values())
