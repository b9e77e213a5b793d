"""What every store promises of runs, their tasks and events."""

from __future__ import annotations

from typing import Any

import pytest

from gleitzeit.core.errors import ConflictError, LeaseLostError, RunNotFoundError, ValidationError
from gleitzeit.core.models import Failure, Workflow
from gleitzeit.store.base import Change, EventDraft, RunHead, RunRow, Store, TaskRow

pytestmark = pytest.mark.anyio


def run(run_id: str, *, name: str = "report", **fields: Any) -> RunRow:
    workflow = Workflow.model_validate({"name": name, "tasks": [{"id": "a", "method": "test/do"}]})
    row = RunRow(run_id, "local", workflow, {"n": 1}, "running", created_at=100.0)
    return row._replace(**fields)


def event(kind: str, task_id: str | None = None, **data: Any) -> EventDraft:
    return EventDraft(kind, 100.0, task_id, data)


async def create(store: Store, row: RunRow, *events: EventDraft) -> int:
    return await commit(store, row.id, epoch=row.epoch, run=row, events=events, new=True)


async def commit(store: Store, run_id: str, **fields: Any) -> int:
    (outcome,) = await store.commit([Change(run_id, **fields)])
    if not isinstance(outcome, int):
        raise outcome
    return outcome


async def listed(store: Store, **filters: Any) -> list[str]:
    return [row.id for row in (await store.runs(**filters)).runs]


async def test_a_created_run_is_loaded_as_it_was_given(store: Store) -> None:
    row = run(
        "r1",
        roots=("/a",),
        parent_id="r0",
        parent_task="t",
        root_id="r0",
        resumed_from="r9",
        idempotency_key="k",
        digest="d",
        boot="b",
        uptime=1.5,
        epoch=3,
    )
    await create(store, row)
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert (snapshot.run, dict(snapshot.tasks), snapshot.seq, snapshot.owner) == (row, {}, 0, "one")


async def test_a_run_that_is_over_when_it_is_created_belongs_to_nobody(store: Store) -> None:
    failure = Failure("conflict", "no")
    row = run("r1", state="failed", finished_at=100.0, outputs={"a": 1}, failure=failure)
    await create(store, row)
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert (snapshot.run, snapshot.owner) == (row, None)


@pytest.mark.parametrize(
    "value",
    [
        None,
        5,
        "5 of them",
        1.0,
        True,
        [],
        {"x": {}},
        "half a pair: \ud83d",
        "nul: \x00",
        2**70,
        "grün €",
        {"big": "x" * 300_000},
    ],
)
async def test_a_result_comes_back_as_it_was(store: Store, value: Any) -> None:
    await create(store, run("r1", inputs={"v": value}))
    row = TaskRow("a", "completed", 1, value, metadata={"v": value})
    await commit(store, "r1", tasks=[row], events=[event("task.completed", "a", v=value)])
    await commit(store, "r1", run=run("r1", state="completed", inputs={"v": value}, outputs={"v": value}))
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert repr(snapshot.tasks["a"].result) == repr(value)
    assert repr((snapshot.run.inputs, snapshot.run.outputs)) == repr(({"v": value}, {"v": value}))
    (told,) = await store.events("r1")
    assert repr(told.data) == repr({"v": value})


async def test_an_unknown_run_is_nothing(store: Store) -> None:
    assert await store.load("nowhere") is None
    assert list(await store.events("nowhere")) == []


async def test_a_run_is_created_once(store: Store) -> None:
    await create(store, run("r1"))
    with pytest.raises(ConflictError, match="r1"):
        await create(store, run("r1", name="other"))
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert snapshot.run.workflow.name == "report"


async def test_rows_of_tasks_replace_each_other_and_keep_all_their_facts(store: Store) -> None:
    await create(store, run("r1"))
    failure = Failure("timeout", "too long", "wait", True, True, {"n": 1})
    final = TaskRow("a", "failed", 3, {"x": [1, None]}, failure, 1.0, 2.0, 7, 3.5, {"node": "n1"})
    await commit(store, "r1", tasks=[TaskRow("a", "running"), TaskRow("b[0]", "running")])
    await commit(store, "r1", tasks=[final])
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert dict(snapshot.tasks) == {"a": final, "b[0]": TaskRow("b[0]", "running")}


async def test_a_snapshot_does_not_change_with_later_commits(store: Store) -> None:
    await create(store, run("r1"))
    before = await store.load("r1")
    await commit(store, "r1", tasks=[TaskRow("a", "running")])
    assert before is not None
    assert dict(before.tasks) == {}


async def test_the_runs_own_row_changes_only_when_it_is_given(store: Store) -> None:
    await create(store, run("r1"))
    await commit(store, "r1", tasks=[TaskRow("a", "running")])
    done = run("r1", state="completed", finished_at=101.0, outputs={"a": {"x": 1}})
    await commit(store, "r1", run=done)
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert snapshot.run == done


async def test_events_are_numbered_within_their_run_from_one(store: Store) -> None:
    first = await create(store, run("r1"), event("run.submitted"))
    await create(store, run("r2"), event("run.submitted"))
    last = await commit(store, "r1", events=[event("task.started", "a"), event("task.progress", "a", done=1)])
    assert (first, last) == (1, 3)
    events = await store.events("r1")
    assert [one.seq for one in events] == [1, 2, 3]
    progress = events[2]
    assert (progress.run_id, progress.kind, progress.task_id, progress.data) == (
        "r1",
        "task.progress",
        "a",
        {"done": 1},
    )
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert snapshot.seq == 3


async def test_events_of_several_changes_at_once_have_no_gap(store: Store) -> None:
    steps = [event("task.progress", "a", done=n) for n in range(4)]
    changes = [
        Change("r1", run=run("r1"), new=True, events=steps[:1]),
        Change("r2", run=run("r2"), new=True),
        Change("r1", events=steps[1:3]),
        Change("r2", events=steps),
        Change("r1"),
        Change("r1", events=steps[3:]),
    ]
    assert list(await store.commit(changes)) == [1, 0, 3, 4, 3, 4]
    assert [(one.seq, one.data["done"]) for one in await store.events("r1")] == [(1, 0), (2, 1), (3, 2), (4, 3)]
    assert [one.seq for one in await store.events("r2")] == [1, 2, 3, 4]


async def test_a_change_that_is_refused_takes_no_numbers(store: Store) -> None:
    await create(store, run("r1"), event("run.submitted"))
    step = [event("task.progress", "a")]
    outcomes = await store.commit([Change("r1", epoch=1, events=step), Change("r1", events=step)])
    assert isinstance(outcomes[0], LeaseLostError)
    assert outcomes[1] == 2
    assert [one.seq for one in await store.events("r1")] == [1, 2]


async def test_events_are_read_after_a_number_and_in_pages(store: Store) -> None:
    await create(store, run("r1"), *(event("task.progress", "a", done=n) for n in range(5)))
    assert [one.seq for one in await store.events("r1", after=2)] == [3, 4, 5]
    assert [one.seq for one in await store.events("r1", after=1, limit=2)] == [2, 3]
    assert list(await store.events("r1", after=5)) == []


async def test_a_write_by_an_earlier_owner_is_refused_and_changes_nothing(store: Store) -> None:
    await create(store, run("r1", epoch=2))
    with pytest.raises(LeaseLostError, match="r1"):
        await commit(store, "r1", epoch=1, tasks=[TaskRow("a", "running")], events=[event("task.started", "a")])
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert (dict(snapshot.tasks), snapshot.seq) == ({}, 0)


async def test_a_write_to_a_run_that_does_not_exist_is_refused(store: Store) -> None:
    with pytest.raises(RunNotFoundError):
        await commit(store, "nowhere", tasks=[TaskRow("a", "running")])


async def test_an_id_that_exists_is_told_with_the_refusal(store: Store) -> None:
    await create(store, run("r1"))
    with pytest.raises(ConflictError) as caught:
        await create(store, run("r1"))
    assert caught.value.details == {"run_id": "r1"}


async def test_an_idempotency_key_gives_one_run_to_each_caller(store: Store) -> None:
    await create(store, run("r1", idempotency_key="k"))
    await create(store, run("r2", idempotency_key="k", caller="other"))
    await create(store, run("r3"))
    await create(store, run("r4"))
    with pytest.raises(ConflictError, match='"k"') as caught:
        await create(store, run("r5", idempotency_key="k"))
    assert caught.value.details == {"run_id": "r1"}
    assert await store.load("r5") is None


async def test_what_is_refused_does_not_harm_what_comes_with_it(store: Store) -> None:
    await create(store, run("r1", idempotency_key="k"))
    task = [TaskRow("a", "running")]
    outcomes = await store.commit(
        [
            Change("r2", run=run("r2", idempotency_key="k"), new=True, tasks=task),
            Change("nowhere", tasks=task),
            Change("r1", epoch=7, tasks=task),
            Change("r3", run=run("r3"), new=True, tasks=task),
        ]
    )
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [ConflictError, RunNotFoundError, LeaseLostError, int]
    assert await listed(store) == ["r3", "r1"]


async def test_a_failure_that_a_run_had_for_a_while_is_gone_when_its_row_has_none(store: Store) -> None:
    await create(store, run("r1"))
    await commit(store, "r1", run=run("r1", failure=Failure("unknown", "who knows"), state="waiting"))
    await commit(store, "r1", run=run("r1"))
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert snapshot.run == run("r1")


async def test_a_list_shows_what_matters_of_a_run(store: Store) -> None:
    failure = Failure("timeout", "too long")
    await create(store, run("r1", parent_task="t", resumed_from="r0", digest="d"))
    assert list((await store.runs()).runs) == [
        RunHead("r1", "local", "report", "running", 100.0, None, None, None, "t", "r0", "d", "one")
    ]
    await commit(store, "r1", run=run("r1", state="failed", finished_at=101.0, failure=failure, outputs={"a": 1}))
    (head,) = (await store.runs()).runs
    assert (head.state, head.finished_at, head.failure, head.owner) == ("failed", 101.0, failure, None)


async def test_runs_are_listed_newest_first_page_by_page_without_gap_or_repetition(store: Store) -> None:
    for number in range(5):
        await create(store, run(f"r{number}"))
    first = await store.runs(limit=2)
    await create(store, run("late"))
    second = await store.runs(limit=2, cursor=first.cursor)
    third = await store.runs(limit=2, cursor=second.cursor)
    assert [[row.id for row in page.runs] for page in (first, second, third)] == [["r4", "r3"], ["r2", "r1"], ["r0"]]
    assert third.cursor is None


async def test_the_last_page_has_no_cursor_even_when_it_is_full(store: Store) -> None:
    for number in range(2):
        await create(store, run(f"r{number}"))
    assert (await store.runs(limit=2)).cursor is None


async def test_runs_are_filtered_by_caller_state_and_name(store: Store) -> None:
    await create(store, run("mine", caller="me"))
    await create(store, run("done", caller="me", state="completed"))
    await create(store, run("theirs", caller="them", name="other"))
    assert await listed(store) == ["theirs", "done", "mine"]
    assert await listed(store, caller="me") == ["done", "mine"]
    assert await listed(store, caller="me", state="completed") == ["done"]
    assert await listed(store, name="other") == ["theirs"]
    assert await listed(store, caller="nobody") == []


async def test_a_run_is_listed_as_waiting_while_a_task_of_it_waits(store: Store) -> None:
    await create(store, run("asks"))
    await create(store, run("runs"))
    await commit(store, "asks", tasks=[TaskRow("a", "completed"), TaskRow("b", "waiting")])
    assert await listed(store, state="waiting") == ["asks"]
    assert await listed(store, state="running") == ["runs"]
    assert [head.state for head in (await store.runs()).runs] == ["running", "waiting"]
    await commit(store, "asks", tasks=[TaskRow("b", "running")])
    assert await listed(store, state="waiting") == []


async def test_a_page_of_filtered_runs_goes_on_where_it_ended(store: Store) -> None:
    for number in range(6):
        await create(store, run(f"r{number}", state="completed" if number % 2 else "failed"))
    first = await store.runs(state="failed", limit=2)
    second = await store.runs(state="failed", limit=2, cursor=first.cursor)
    assert [row.id for row in [*first.runs, *second.runs]] == ["r4", "r2", "r0"]


async def test_children_are_listed_with_their_parent_alone(store: Store) -> None:
    await create(store, run("parent"))
    await create(store, run("child", parent_id="parent"))
    assert await listed(store) == ["parent"]
    assert await listed(store, parent_id="parent") == ["child"]


@pytest.mark.parametrize("cursor", ["nonsense", "-1", "²", "9" * 40, ""])
async def test_a_cursor_that_was_never_given_is_refused(store: Store, cursor: str) -> None:
    with pytest.raises(ValidationError, match="cursor"):
        await store.runs(cursor=cursor)
