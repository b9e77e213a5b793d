"""What every store promises."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gleitzeit.core.errors import ConflictError, RunNotFoundError, ValidationError
from gleitzeit.core.models import Failure, Workflow
from gleitzeit.store.base import EventDraft, RunRow, Store, TaskRow

pytestmark = pytest.mark.anyio


def run(run_id: str, *, name: str = "report", **fields: Any) -> RunRow:
    workflow = Workflow.model_validate({"name": name, "tasks": [{"id": "a", "method": "test/do"}]})
    row = RunRow(run_id, "local", workflow, {"n": 1}, "running", created_at=100.0)
    return replace(row, **fields)


def event(kind: str, task_id: str | None = None, **data: Any) -> EventDraft:
    return EventDraft(kind, 100.0, task_id, data)


async def listed(store: Store, **filters: Any) -> list[str]:
    return [row.id for row in (await store.runs(**filters)).runs]


async def test_a_created_run_is_loaded_as_it_was_given(store: Store) -> None:
    row = run("r1", roots=("/a",), parent_task="t")
    await store.create(row, [])
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert (snapshot.run, dict(snapshot.tasks), snapshot.seq) == (row, {}, 0)


async def test_an_unknown_run_is_nothing(store: Store) -> None:
    assert await store.load("nowhere") is None
    assert list(await store.events("nowhere")) == []


async def test_a_run_is_created_once(store: Store) -> None:
    await store.create(run("r1"), [])
    with pytest.raises(ConflictError, match="r1"):
        await store.create(run("r1", name="other"), [])
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert snapshot.run.workflow.name == "report"


async def test_rows_of_tasks_replace_each_other_and_keep_all_their_facts(store: Store) -> None:
    await store.create(run("r1"), [])
    failure = Failure("timeout", "too long", "wait", True, True, {"n": 1})
    final = TaskRow("a", "failed", 3, {"x": [1, None]}, failure, 1.0, 2.0, 7, {"node": "n1"})
    await store.commit("r1", 0, tasks=[TaskRow("a", "running"), TaskRow("b[0]", "running")])
    await store.commit("r1", 0, tasks=[final])
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert dict(snapshot.tasks) == {"a": final, "b[0]": TaskRow("b[0]", "running")}


async def test_a_snapshot_does_not_change_with_later_commits(store: Store) -> None:
    await store.create(run("r1"), [])
    before = await store.load("r1")
    await store.commit("r1", 0, tasks=[TaskRow("a", "running")])
    assert before is not None
    assert dict(before.tasks) == {}


async def test_the_runs_own_row_changes_only_when_it_is_given(store: Store) -> None:
    await store.create(run("r1"), [])
    await store.commit("r1", 0, tasks=[TaskRow("a", "running")])
    done = run("r1", state="completed", finished_at=101.0, outputs={"a": {"x": 1}})
    await store.commit("r1", 0, run=done)
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert snapshot.run == done


async def test_events_are_numbered_within_their_run_from_one(store: Store) -> None:
    first = await store.create(run("r1"), [event("run.submitted")])
    await store.create(run("r2"), [event("run.submitted")])
    second = await store.commit("r1", 0, events=[event("task.started", "a"), event("task.progress", "a", done=1)])
    assert [one.seq for one in [*first, *second]] == [1, 2, 3]
    assert list(await store.events("r1")) == [*first, *second]
    assert (second[1].run_id, second[1].kind, second[1].task_id, second[1].data) == (
        "r1",
        "task.progress",
        "a",
        {"done": 1},
    )


async def test_events_are_read_after_a_number_and_in_pages(store: Store) -> None:
    await store.create(run("r1"), [event("task.progress", "a", done=n) for n in range(5)])
    assert [one.seq for one in await store.events("r1", after=2)] == [3, 4, 5]
    assert [one.seq for one in await store.events("r1", after=1, limit=2)] == [2, 3]
    assert list(await store.events("r1", after=5)) == []


async def test_a_write_by_an_earlier_owner_is_refused_and_changes_nothing(store: Store) -> None:
    await store.create(run("r1", epoch=2), [])
    with pytest.raises(ConflictError, match="owner"):
        await store.commit("r1", 1, tasks=[TaskRow("a", "running")], events=[event("task.started", "a")])
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert (dict(snapshot.tasks), snapshot.seq) == ({}, 0)


async def test_a_write_to_a_run_that_does_not_exist_is_refused(store: Store) -> None:
    with pytest.raises(RunNotFoundError):
        await store.commit("nowhere", 0, tasks=[TaskRow("a", "running")])


async def test_runs_are_listed_newest_first_page_by_page_without_gap_or_repetition(store: Store) -> None:
    for number in range(5):
        await store.create(run(f"r{number}"), [])
    first = await store.runs(limit=2)
    await store.create(run("late"), [])
    second = await store.runs(limit=2, cursor=first.cursor)
    third = await store.runs(limit=2, cursor=second.cursor)
    assert [[row.id for row in page.runs] for page in (first, second, third)] == [["r4", "r3"], ["r2", "r1"], ["r0"]]
    assert third.cursor is None


async def test_the_last_page_has_no_cursor_even_when_it_is_full(store: Store) -> None:
    for number in range(2):
        await store.create(run(f"r{number}"), [])
    assert (await store.runs(limit=2)).cursor is None


async def test_runs_are_filtered_by_caller_state_and_name(store: Store) -> None:
    await store.create(run("mine", caller="me"), [])
    await store.create(run("done", caller="me", state="completed"), [])
    await store.create(run("theirs", caller="them", name="other"), [])
    assert await listed(store) == ["theirs", "done", "mine"]
    assert await listed(store, caller="me") == ["done", "mine"]
    assert await listed(store, caller="me", state="completed") == ["done"]
    assert await listed(store, name="other") == ["theirs"]
    assert await listed(store, caller="nobody") == []


async def test_a_page_of_filtered_runs_goes_on_where_it_ended(store: Store) -> None:
    for number in range(6):
        await store.create(run(f"r{number}", state="completed" if number % 2 else "failed"), [])
    first = await store.runs(state="failed", limit=2)
    second = await store.runs(state="failed", limit=2, cursor=first.cursor)
    assert [row.id for row in [*first.runs, *second.runs]] == ["r4", "r2", "r0"]


async def test_children_are_listed_with_their_parent_alone(store: Store) -> None:
    await store.create(run("parent"), [])
    await store.create(run("child", parent_id="parent"), [])
    assert await listed(store) == ["parent"]
    assert await listed(store, parent_id="parent") == ["child"]


@pytest.mark.parametrize("cursor", ["nonsense", "-1", "²", "9" * 40, ""])
async def test_a_cursor_that_was_never_given_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ValidationError, match="cursor"):
        await store.runs(cursor=cursor)
