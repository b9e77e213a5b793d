"""Who carries a run out, when several processes share the data."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import Any, Protocol

import anyio
import pytest

from gleitzeit.core.errors import LeaseLostError
from gleitzeit.core.models import Workflow
from gleitzeit.store.base import LEASE, Change, EventDraft, Orphan, Owner, Request, RunRow, Store, TaskRow
from gleitzeit.store.owners import this_process

pytestmark = pytest.mark.anyio

WORKFLOW = Workflow.model_validate(
    {"tasks": [{"id": "a", "method": "test/do"}, {"id": "b", "method": "mcp/tool.x"}, {"id": "c", "method": "test/do"}]}
)


class Clock(Protocol):
    now: float


class Data(Protocol):
    async def open(self, owner: Owner | str = ..., clock: Any = ..., changed: Any = ...) -> Store: ...
    async def close(self, store: Store) -> None: ...


def run(run_id: str, state: Any = "running", **fields: Any) -> RunRow:
    return RunRow(run_id, "local", WORKFLOW, {}, state, created_at=100.0)._replace(**fields)


def child(run_id: str, parent_id: str, root_id: str, state: Any = "running") -> RunRow:
    return run(run_id, state, parent_id=parent_id, parent_task="a", root_id=root_id)


def ended_process(*, collect: bool) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", ""])
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    if collect:
        process.wait()
    return process


async def create(store: Store, *rows: RunRow) -> None:
    outcomes = await store.commit([Change(row.id, run=row, new=True, events=[EventDraft("x", 1.0)]) for row in rows])
    assert list(outcomes) == [1] * len(rows)


async def orphans(store: Store, **where: Any) -> list[str]:
    return [orphan.run_id for orphan in await store.orphans(**where)]


async def test_a_run_belongs_to_the_process_that_made_it(data: Data) -> None:
    one, two = await data.open("one"), await data.open("two")
    await create(one, run("r1"))
    assert dict(await one.owned()) == {"r1": 0}
    assert dict(await two.owned()) == {}
    assert await two.claim("r1") is None
    assert list(await two.orphans()) == []


async def test_a_process_that_gives_no_sign_of_life_is_gone_once_its_lease_has_lapsed(data: Data, clock: Clock) -> None:
    one, two = await data.open("one"), await data.open("two", clock)
    await create(one, run("r1"))
    clock.now += LEASE - 1
    assert await two.claim("r1") is None
    clock.now += 1
    assert await two.orphans() == [Orphan("r1", frozenset({"test/do", "mcp/tool.x"}))]
    snapshot = await two.claim("r1")
    assert snapshot is not None
    assert (snapshot.run.epoch, snapshot.owner) == (1, "two")
    assert dict(await two.owned()) == {"r1": 1}
    assert dict(await one.owned()) == {}


async def test_a_process_that_lost_a_run_writes_nothing_of_it_any_more(data: Data, clock: Clock) -> None:
    one, two = await data.open("one"), await data.open("two", clock)
    await create(one, run("r1"), run("r2"))
    clock.now += LEASE
    assert await two.claim("r1") is not None
    step = [EventDraft("task.completed", 2.0, "a")]
    late = [Change(name, tasks=[TaskRow("a", "completed", 1, {"x": 1})], events=step) for name in ("r1", "r2")]
    lost, kept = await one.commit(late)
    assert isinstance(lost, LeaseLostError)
    assert lost.details["run_id"] == "r1"
    assert kept == 2
    snapshot = await two.load("r1")
    assert snapshot is not None
    assert (dict(snapshot.tasks), snapshot.seq) == ({}, 1)
    assert list(await two.commit([late[0]._replace(epoch=1)])) == [2]


async def test_a_process_may_claim_its_own_run_again(store: Store) -> None:
    await create(store, run("r1"))
    for epoch in (1, 2):
        snapshot = await store.claim("r1")
        assert snapshot is not None
        assert snapshot.run.epoch == epoch


@pytest.mark.parametrize("state", ["completed", "failed", "cancelled"])
async def test_a_run_that_is_over_is_nobodys_and_is_not_claimed(store: Store, state: Any) -> None:
    await create(store, run("r1"))
    await store.commit([Change("r1", run=run("r1", state))])
    assert await store.claim("r1") is None
    assert dict(await store.owned()) == {}
    assert await orphans(store) == []
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert snapshot.owner is None


async def test_a_run_that_there_is_not_is_not_claimed(store: Store) -> None:
    assert await store.claim("nowhere") is None


async def test_a_released_run_can_be_carried_on_by_anybody_at_once(data: Data) -> None:
    one, two = await data.open("one"), await data.open("two")
    await create(one, run("r1"), run("r2"))
    await one.commit([Change("r1", release=True), Change("r2", run=run("r2", "pending"), release=True)])
    assert dict(await one.owned()) == {}
    assert await orphans(two) == ["r1", "r2"]
    assert await two.claim("r1") is not None
    assert await orphans(one) == ["r2"]


async def test_a_run_that_waits_is_nobodys_orphan_but_can_be_claimed(data: Data) -> None:
    one, two = await data.open("one"), await data.open("two")
    await create(one, run("r1"))
    await one.commit([Change("r1", run=run("r1", "waiting"))])
    assert dict(await one.owned()) == {}
    assert await orphans(two) == []
    snapshot = await two.claim("r1")
    assert snapshot is not None
    assert (snapshot.run.state, snapshot.run.epoch, snapshot.owner) == ("waiting", 1, "two")
    assert dict(await two.owned()) == {"r1": 1}
    assert await one.claim("r1") is None


async def test_what_a_process_had_is_free_when_it_leaves(data: Data) -> None:
    one, two = await data.open("one"), await data.open("two")
    await create(one, run("r1"), run("r2", "pending"))
    await data.close(one)
    assert await orphans(two) == ["r1", "r2"]
    assert await two.claim("r2") is not None


async def test_a_family_is_claimed_at_once_but_for_those_that_are_over(data: Data, clock: Clock) -> None:
    one, two = await data.open("one"), await data.open("two", clock)
    family = [
        child("c1", "r1", "r1"),
        child("c2", "r1", "r1", "completed"),
        child("g1", "c1", "r1"),
        child("g2", "c1", "r1", "waiting"),
    ]
    await create(one, run("r1"), *family, run("other"))
    clock.now += LEASE
    assert await orphans(two) == ["r1", "other"]
    assert await two.claim("r1") is not None
    assert dict(await two.owned()) == {"r1": 1, "c1": 1, "g1": 1, "g2": 1}
    assert isinstance((await one.commit([Change("g1")]))[0], LeaseLostError)


async def test_a_child_is_claimed_with_its_own_descendants_alone(data: Data, clock: Clock) -> None:
    one, two = await data.open("one"), await data.open("two", clock)
    await create(one, run("r1"), child("c1", "r1", "r1"), child("c2", "r1", "r1"), child("g1", "c1", "r1"))
    clock.now += LEASE
    assert await two.claim("c1") is not None
    assert dict(await two.owned()) == {"c1": 1, "g1": 1}


async def test_orphans_are_told_oldest_first_and_page_by_page(data: Data, clock: Clock) -> None:
    one, two = await data.open("one"), await data.open("two", clock)
    await create(one, *(run(f"r{number}") for number in range(5)))
    clock.now += LEASE
    assert await orphans(two, limit=2) == ["r0", "r1"]
    assert await orphans(two, after="r1", limit=2) == ["r2", "r3"]
    assert await orphans(two, after="r3", limit=2) == ["r4"]


async def test_of_two_that_claim_at_once_one_gets_the_run(data: Data, clock: Clock) -> None:
    one = await data.open("one")
    two, three = await data.open("two", clock), await data.open("three", clock)
    await create(one, *(run(f"r{number}") for number in range(20)))
    clock.now += LEASE
    got: dict[str, list[str]] = {"two": [], "three": []}

    async def claim_all(name: str, store: Store) -> None:
        for number in range(20):
            if await store.claim(f"r{number}") is not None:
                got[name].append(f"r{number}")

    async with anyio.create_task_group() as group:
        group.start_soon(claim_all, "two", two)
        group.start_soon(claim_all, "three", three)
    assert sorted(got["two"] + got["three"]) == sorted(f"r{number}" for number in range(20))


async def test_a_process_of_another_start_of_the_machine_is_gone_at_once(data: Data) -> None:
    one = await data.open(replace(this_process(), boot="an earlier one"))
    two = await data.open(this_process())
    await create(one, run("r1"))
    assert await orphans(two) == ["r1"]
    assert await two.claim("r1") is not None


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the lapse of a lease tells")
async def test_a_process_that_does_not_exist_any_more_is_gone_at_once(data: Data) -> None:
    here = this_process()
    ended = ended_process(collect=True).pid
    dead = await data.open(replace(this_process(), pid=ended))
    reused = await data.open(replace(this_process(), process=here.process.partition("/")[0] + "/1"))
    elsewhere = await data.open(replace(this_process(), pid=ended, process="pid:[1]/5"))
    two = await data.open(this_process())
    await create(dead, run("dead"))
    await create(reused, run("reused"))
    await create(elsewhere, run("elsewhere"))
    await create(await data.open(this_process()), run("alive"))
    assert await orphans(two) == ["dead", "reused"]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere only the lapse of a lease tells")
async def test_a_process_that_ended_and_was_not_collected_is_gone(data: Data) -> None:
    held = ended_process(collect=False)
    zombie = await data.open(replace(this_process(), pid=held.pid))
    two = await data.open(this_process())
    await create(zombie, run("r1"))
    assert await orphans(two) == ["r1"]
    held.wait()


async def test_a_request_reaches_whoever_carries_the_run_out_and_stays_until_it_is_over(
    data: Data, clock: Clock
) -> None:
    one, two = await data.open("one"), await data.open("two", clock)
    await create(one, run("r1"), run("r2"))
    wanted = [Request("r2", "cancel", {"reason": "enough"}), Request("r1", "cancel", {})]
    for request in wanted:
        await two.request(request)
    assert list(await two.requests()) == []
    assert list(await one.requests()) == wanted
    assert list(await one.requests()) == wanted
    clock.now += LEASE
    await two.claim("r2")
    assert list(await two.requests()) == wanted[:1]
    await one.commit([Change("r1", run=run("r1", "cancelled"))])
    assert list(await one.requests()) == []


async def test_a_request_for_a_run_that_is_over_or_unknown_is_none(store: Store) -> None:
    await create(store, run("r1", "completed"))
    for run_id in ("r1", "nowhere"):
        await store.request(Request(run_id, "cancel", {}))
    assert list(await store.requests()) == []


async def test_a_process_is_told_when_another_one_writes(data: Data) -> None:
    told = anyio.Event()
    one = await data.open("one")
    two = await data.open("two", changed=told.set)
    await create(one, run("r1"))
    with anyio.fail_after(5):
        await told.wait()
    assert await two.load("r1") is not None


async def test_a_lease_is_secured_for_less_than_it_lasts(data: Data, clock: Clock) -> None:
    store = await data.open("one", clock)
    assert clock.now < store.secured < clock.now + LEASE
    assert store.lapses == 0
