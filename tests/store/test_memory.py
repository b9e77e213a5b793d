"""What the store in memory forgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from gleitzeit.core.models import Workflow
from gleitzeit.store.base import Change, EventDraft, Owner, RunRow
from gleitzeit.store.memory import MemoryStore

pytestmark = pytest.mark.anyio

WORKFLOW = Workflow.model_validate({"tasks": [{"id": "a", "method": "test/do"}]})


def run(run_id: str, state: Any = "running", *, caller: str = "local", parent_id: str | None = None) -> RunRow:
    return RunRow(run_id, caller, WORKFLOW, {}, state, created_at=100.0, parent_id=parent_id)


async def listed(store: MemoryStore, **filters: Any) -> list[str]:
    return [row.id for row in (await store.runs(**filters)).runs]


async def end(store: MemoryStore, *rows: RunRow) -> None:
    await store.commit([Change(row.id, run=row) for row in rows])


async def created(keep: int, rows: Sequence[RunRow]) -> MemoryStore:
    store = MemoryStore(keep=keep)
    await store.open(Owner("one"))
    await store.commit([Change(row.id, run=row, new=True, events=[EventDraft("x", 100.0)]) for row in rows])
    return store


async def test_of_the_runs_that_are_over_the_first_to_end_are_forgotten() -> None:
    store = await created(2, [run(name) for name in "abcd"])
    await end(store, run("c", "failed"), run("a", "completed"), run("d", "cancelled"))
    assert await listed(store) == ["d", "b", "a"]
    assert await store.load("c") is None
    assert list(await store.events("c")) == []


async def test_a_run_that_is_not_over_is_never_forgotten() -> None:
    store = await created(1, [run("working"), run("asking", "waiting"), *(run(f"r{n}") for n in range(20))])
    await end(store, *(run(f"r{n}", "completed") for n in range(20)))
    assert await listed(store) == ["r19", "asking", "working"]


async def test_a_run_that_ends_can_be_read_however_many_still_run() -> None:
    store = await created(1, [run(name) for name in "abc"])
    await end(store, run("a", "completed"))
    assert await store.load("a") is not None


async def test_children_go_with_their_parent_and_not_before() -> None:
    children = [run("child", parent_id="a"), run("grandchild", parent_id="child"), run("other", parent_id="b")]
    store = await created(1, [run("a"), run("b"), *children])
    await end(store, run("grandchild", "completed", parent_id="child"), run("child", "completed", parent_id="a"))
    assert await listed(store, parent_id="child") == ["grandchild"]
    await end(store, run("a", "completed"), run("b", "completed"))
    assert [await store.load(name) for name in ("a", "child", "grandchild")] == [None] * 3
    assert await listed(store, parent_id="a") == []
    assert await listed(store, parent_id="b") == ["other"]


async def test_a_run_whose_child_is_not_over_stays_until_it_is() -> None:
    store = await created(1, [run("a"), run("child", parent_id="a"), run("b"), run("c")])
    await end(store, run("a", "cancelled"), run("b", "completed"))
    assert await listed(store) == ["c", "b", "a"]
    await end(store, run("child", "cancelled", parent_id="a"), run("c", "completed"))
    assert await store.load("child") is None


async def test_a_page_goes_on_after_a_run_that_was_forgotten() -> None:
    store = await created(3, [run(f"r{n}") for n in range(6)])
    first = await store.runs(limit=2)
    await end(store, *(run(f"r{n}", "completed") for n in (4, 0, 1, 2)))
    assert await store.load("r4") is None
    assert await listed(store, cursor=first.cursor) == ["r3", "r2", "r1", "r0"]


async def test_an_id_that_was_forgotten_can_be_given_again() -> None:
    store = await created(1, [run("a", "completed", caller="me"), run("b", "completed", caller="them")])
    assert await listed(store, caller="me") == []
    await store.commit([Change("a", run=run("a", caller="me"), new=True)])
    assert await listed(store, caller="me") == ["a"]
