"""Two servers on one database share the work: no run is carried out twice, none is left lying."""

from __future__ import annotations

import random
from typing import Any

import anyio
import pytest
from tests.chaos.clients import Clients, Front, all_over, decide, held, submitted
from tests.chaos.conftest import WHOLE
from tests.chaos.documents import gated
from tests.chaos.processes import Fleet, Server
from tests.chaos.standstill import stop_between_transactions, stop_inside_transaction
from tests.chaos.verdict import check_consistency, check_ends, check_executions, check_integrity, everything, open_runs
from tests.chaos.witness import Witness, noticed

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(900)]


async def test_the_work_of_a_killed_server_is_done_by_the_other(
    fleet: Fleet, witness: Witness, chance: random.Random, seed: int, whole: bool
) -> None:
    front = Front()
    clients = Clients(front, seed)
    servers = await fleet.start_several(2)
    async with clients.submitting():
        for _ in range(12 if whole else 1):
            front.show(*servers)
            await witness.grown(chance.randint(20, 200))
            victim = servers.pop(chance.randrange(2))
            front.show(*servers)
            await victim.kill()
            await witness.grown(chance.randint(20, 100))
            servers.append(await fleet.start())
    everyone = set(await open_runs(fleet.setup.database)) | {one.run_id for one in clients.acknowledged}
    ends = await all_over(servers[0], sorted(everyone))
    resumed = await decide(servers[1], [run_id for run_id, run in ends.items() if run["status"] == "waiting"])
    await all_over(servers[0], resumed)
    assert [await server.leave() for server in servers] == [0, 0]
    check_integrity(fleet.setup.database)
    runs = await everything(fleet.setup.database)
    check_consistency(runs.values())
    check_executions(runs, witness.lines())
    check_ends(runs.values())


async def test_a_server_that_was_stopped_past_its_lease_writes_nothing_of_the_runs_it_lost(
    fleet: Fleet, witness: Witness
) -> None:
    stopped, other = await fleet.start_several(2)
    again = await submitted(stopped, gated("gate"), 5)
    never = await submitted(stopped, gated("gate", "chaos/gate_once"), 3)
    await held(witness, [*again, *never], stopped.pid)
    await stop_between_transactions(stopped, fleet.setup.database)
    await held(witness, again, other.pid)
    parked = await all_over(other, never)
    assert {run["status"] for run in parked.values()} == {"waiting"}
    stopped.go_on()
    await stopped.ask("open", gate="gate")
    assert {(await stopped.ask("get", run_id=run_id))["tasks"]["held"]["status"] for run_id in again} == {"running"}
    assert {(await stopped.ask("get", run_id=run_id))["tasks"]["held"]["status"] for run_id in never} == {"unknown"}
    await other.ask("open", gate="gate")
    ends = await all_over(stopped, again)
    assert {run["status"] for run in ends.values()} == {"completed"}
    assert {run["tasks"]["held"]["attempts"] for run in ends.values()} == {2}
    later = [(await stopped.ask("resume", run_id=run_id, unknown={"held": "completed"}))["run_id"] for run_id in never]
    assert {run["status"] for run in (await all_over(other, later)).values()} == {"completed"}
    assert [await server.leave() for server in (stopped, other)] == [0, 0]
    runs = await everything(fleet.setup.database)
    check_consistency(runs.values())
    check_executions(runs, witness.lines())
    assert {line.pid for line in witness.starts(task="after") if line.run in again} == {other.pid}
    assert len([line for line in witness.starts(task="held") if line.run in never]) == len(never)


@pytest.mark.skipif(not WHOLE, reason="make chaos does it")
async def test_a_server_that_is_stopped_under_load_and_goes_on_does_no_harm(
    fleet: Fleet, witness: Witness, chance: random.Random, seed: int, whole: bool
) -> None:
    front = Front()
    clients = Clients(front, seed, number=8)
    servers = await fleet.start_several(2)
    async with clients.submitting():
        for turn in range(6 if whole else 1):
            front.show(*servers)
            await witness.grown(chance.randint(20, 200))
            victim = chance.choice(servers)
            [other] = [server for server in servers if server is not victim]
            front.show(other)
            [orphan] = await submitted(victim, gated(f"orphan {turn}"))
            await held(witness, [orphan], victim.pid)
            await stop_between_transactions(victim, fleet.setup.database)
            await held(witness, [orphan], other.pid)
            victim.go_on()
            await other.ask("open", gate=f"orphan {turn}")
            await victim.ask("ping")
    everyone = set(await open_runs(fleet.setup.database)) | {one.run_id for one in clients.acknowledged}
    ends = await all_over(servers[0], sorted(everyone))
    resumed = await decide(servers[1], [run_id for run_id, run in ends.items() if run["status"] == "waiting"])
    await all_over(servers[0], resumed)
    assert [await server.leave() for server in servers] == [0, 0]
    runs = await everything(fleet.setup.database)
    check_consistency(runs.values())
    check_executions(runs, witness.lines())


async def test_a_server_that_is_stopped_inside_a_transaction_holds_others_up_and_harms_nobody(
    fleet: Fleet, witness: Witness, seed: int
) -> None:
    front = Front()
    clients = Clients(front, seed, number=8)
    victim, other = await fleet.start_several(2)
    front.show(victim, other)
    async with clients.submitting():
        await witness.grown(50)
        await stop_inside_transaction(victim, fleet.setup.database)
        front.show(other)
        await noticed(lambda: bool(clients.refusals))
        victim.go_on()
        await clients.grown(20)
    assert all("lock" in str(refusal) for refusal in clients.refusals)
    ends = await all_over(victim, [one.run_id for one in clients.acknowledged])
    await all_over(other, await decide(victim, [key for key, run in ends.items() if run["status"] == "waiting"]))
    assert [await server.leave() for server in (victim, other)] == [0, 0]
    runs = await everything(fleet.setup.database)
    check_consistency(runs.values())
    check_executions(runs, witness.lines())


async def test_either_server_sees_the_runs_of_the_other_and_can_cancel_them(fleet: Fleet, witness: Witness) -> None:
    owner, other = await fleet.start_several(2)
    [run_id] = await submitted(owner, gated("never"))
    await held(witness, [run_id], owner.pid)
    assert (await other.ask("get", run_id=run_id))["tasks"]["before"]["status"] == "completed"
    assert [run["id"] for run in await other.ask("list")] == [run_id]
    with anyio.fail_after(6):
        await other.ask("cancel", run_id=run_id, reason="not needed")
        run = await owner.ask("wait", run_id=run_id)
    assert run["status"] == "cancelled"
    assert run["error"]["message"] == "not needed"
    with anyio.fail_after(6):
        assert (await other.ask("wait", run_id=run_id))["status"] == "cancelled"
    [after] = await submitted(owner, {"name": "after", "tasks": [{"id": "a", "method": "chaos/step"}]})
    assert (await all_over(other, [after]))[after]["status"] == "completed"


@pytest.mark.skipif(not WHOLE, reason="make chaos does it")
async def test_a_tail_at_the_other_server_has_no_gap_and_no_duplicate(fleet: Fleet, chance: random.Random) -> None:
    owner, other = await fleet.start_several(2)
    names = [f"task{number}" for number in range(40)]
    tasks: list[dict[str, Any]] = [
        {"id": name, "method": "chaos/step", "parameters": {"nap": chance.uniform(0.0, 0.03)}} for name in names
    ]
    for before, task in zip(names, tasks[1:], strict=False):
        task["dependencies"] = [before]
    [run_id] = await submitted(owner, {"name": "long", "tasks": tasks})
    tails: list[tuple[int, list[int]]] = []

    async def tail(server: Server, after: int) -> None:
        tails.append((after, [event["seq"] async for event in server.events(run_id, after)]))

    with anyio.fail_after(30):
        async with anyio.create_task_group() as group:
            for server in (owner, other):
                for after in (0, 0, 3, 30):
                    group.start_soon(tail, server, after)
    assert (await other.ask("get", run_id=run_id))["status"] == "completed"
    last = max(number for _, numbers in tails for number in numbers)
    assert all(numbers == list(range(after + 1, last + 1)) for after, numbers in tails), tails


async def test_a_tail_goes_on_though_the_server_that_carries_the_run_out_is_killed(
    fleet: Fleet, witness: Witness
) -> None:
    owner, other = await fleet.start_several(2)
    [run_id] = await submitted(owner, gated("gate"))
    await held(witness, [run_id], owner.pid)
    numbers: list[int] = []

    async def tail() -> None:
        numbers.extend([event["seq"] async for event in other.events(run_id)])

    with anyio.fail_after(40):
        async with anyio.create_task_group() as group:
            group.start_soon(tail)
            await owner.kill()
            await held(witness, [run_id], other.pid)
            await other.ask("open", gate="gate")
    assert numbers == list(range(1, len(numbers) + 1))
    assert (await other.ask("get", run_id=run_id))["status"] == "completed"


async def test_a_server_that_does_not_serve_all_methods_of_a_run_leaves_it_to_one_that_does(
    fleet: Fleet, witness: Witness
) -> None:
    owner, poor = await fleet.start(), await fleet.start(serves="chaos/step")
    [rich_run] = await submitted(owner, gated("gate"))
    simple = {"name": "simple", "tasks": [{"id": "held", "method": "chaos/step", "parameters": {"nap": 0.5}}]}
    [poor_run] = await submitted(owner, simple)
    await held(witness, [rich_run, poor_run], owner.pid)
    await owner.kill()
    assert (await all_over(poor, [poor_run]))[poor_run]["status"] == "completed"
    assert (await poor.ask("get", run_id=rich_run))["status"] == "running"
    rich = await fleet.start()
    await held(witness, [rich_run], rich.pid)
    await rich.ask("open", gate="gate")
    assert (await all_over(rich, [rich_run]))[rich_run]["status"] == "completed"
    assert {line.pid for line in witness.starts(rich_run)} == {owner.pid, rich.pid}
