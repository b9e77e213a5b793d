"""A server that is killed at any instant loses nothing that it has acknowledged, and does nothing twice."""

from __future__ import annotations

import random

import anyio
import pytest
from tests.chaos.clients import Acknowledged, Clients, Front, all_over, decide
from tests.chaos.documents import some
from tests.chaos.processes import Fleet, Gone, Server
from tests.chaos.verdict import check_consistency, check_ends, check_executions, check_integrity, everything, open_runs
from tests.chaos.witness import Witness

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]


async def instant(chance: random.Random, fleet: Fleet, server: Server, clients: Clients, witness: Witness) -> None:
    """Return at some instant of a server's life: as it starts, as it recovers, or in the middle of its work."""
    match chance.choice(("time", "acknowledged", "witnessed", "witnessed")):
        case "time":
            await anyio.sleep(chance.uniform(0.0, 1.5))
        case "acknowledged":
            await fleet.until_ready(server)
            await clients.grown(chance.randint(1, 80))
        case _:
            await fleet.until_ready(server)
            await witness.grown(chance.randint(1, 150))
    await anyio.sleep(chance.choice((0.0, chance.uniform(0.0, 0.01))))


async def receive(fleet: Fleet, server: Server, front: Front) -> None:
    """Send clients to the server once it is ready, unless it is killed before."""
    await fleet.until_ready(server)
    front.show(server)


async def live_and_die(chance: random.Random, fleet: Fleet, front: Front, clients: Clients, witness: Witness) -> None:
    """One life of a server, from its start to `kill -9`."""
    server = await fleet.launch()
    with anyio.fail_after(60):
        async with anyio.create_task_group() as group:
            group.start_soon(receive, fleet, server, front)
            await instant(chance, fleet, server, clients, witness)
            front.close()
            group.cancel_scope.cancel()
        await server.kill()


async def ask_again(server: Server, clients: Clients, accepted: list[Acknowledged], chance: random.Random) -> None:
    """The same key gives the same run, long after."""
    for one in chance.sample(accepted, min(50, len(accepted))):
        assert (await server.ask("submit", document=one.document, key=one.key))["run_id"] == one.run_id
    assert len({one.run_id for one in clients.acknowledged}) == len(clients.acknowledged)


async def test_nothing_acknowledged_is_lost_however_often_the_server_is_killed(
    fleet: Fleet, witness: Witness, chance: random.Random, seed: int, whole: bool
) -> None:
    front = Front()
    clients = Clients(front, seed)
    async with clients.submitting():
        for _ in range(50 if whole else 3):
            await live_and_die(chance, fleet, front, clients, witness)
        last = await fleet.start()
        front.show(last)
    everyone = set(await open_runs(fleet.setup.database)) | {one.run_id for one in clients.acknowledged}
    ends = await all_over(last, sorted(everyone))
    resumed = await decide(last, [run_id for run_id, run in ends.items() if run["status"] == "waiting"])
    later = await all_over(last, resumed)
    assert {run["status"] for run in later.values()} <= {"completed"}, later
    await ask_again(last, clients, clients.acknowledged, chance)
    assert await last.leave() == 0, fleet.said(last)
    check_integrity(fleet.setup.database)
    runs = await everything(fleet.setup.database)
    assert {one.run_id for one in clients.acknowledged} <= runs.keys()
    check_consistency(runs.values())
    check_executions(runs, witness.lines())
    check_ends(runs.values())


async def test_a_key_gives_one_run_though_the_server_dies_before_its_answer(
    fleet: Fleet, chance: random.Random, whole: bool
) -> None:
    document = some(chance)
    ids: set[str] = set()
    for turn in range(10 if whole else 2):
        server = await fleet.start()
        async with anyio.create_task_group() as group:

            async def submit(server: Server = server) -> None:
                try:
                    ids.add((await server.ask("submit", document=document, key="the same"))["run_id"])
                except Gone:
                    return

            for _ in range(20):
                group.start_soon(submit)
            if turn:
                await anyio.sleep(chance.uniform(0.0, 0.02))
            else:
                await server.ask("ping")
            await server.kill()
    server = await fleet.start()
    ids.add((await server.ask("submit", document=document, key="the same"))["run_id"])
    assert len(ids) == 1
    assert len(await server.ask("list")) == 1
