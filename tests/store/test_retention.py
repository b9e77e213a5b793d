"""What stores forget, and what they find again."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

import pytest

from gleitzeit.core.errors import ConflictError
from gleitzeit.core.models import Workflow
from gleitzeit.store.base import CachedResult, CacheEntry, Change, EventDraft, RunRow, Store, TaskRow

pytestmark = pytest.mark.anyio

WORKFLOW = Workflow.model_validate({"tasks": [{"id": "a", "method": "test/do"}]})


def run(run_id: str, state: Any = "completed", at: float | None = None, **fields: Any) -> RunRow:
    return RunRow(run_id, "local", WORKFLOW, {}, state, 100.0, finished_at=at)._replace(**fields)


async def create(store: Store, *rows: RunRow) -> None:
    task, told = [TaskRow("a", "completed", 1, {"x": 1})], [EventDraft("run.submitted", 100.0)]
    await store.commit([Change(row.id, run=row, new=True, tasks=task, events=told) for row in rows])


async def listed(store: Store, **filters: Any) -> list[str]:
    return [row.id for row in (await store.runs(**filters)).runs]


async def cache(store: Store, row: RunRow, digest: str, result: Any, at: float, expires_at: float) -> None:
    tasks = [TaskRow("a", "completed", 1, result, finished_at=at)]
    await store.commit([Change(row.id, run=row, new=True, tasks=tasks, cache=[CacheEntry(digest, "a", expires_at)])])


async def test_runs_that_ended_before_are_forgotten_with_all_their_rows(store: Store) -> None:
    await create(store, run("old", at=10.0), run("new", "failed", 20.0), run("open", "running"), run("asks", "waiting"))
    assert await store.prune(now=100.0, before=20.0) == 1
    assert await listed(store) == ["asks", "open", "new"]
    assert await store.load("old") is None
    assert list(await store.events("old")) == []
    assert await store.prune(now=100.0, before=20.0) == 0


async def test_all_but_the_last_to_end_are_forgotten(store: Store) -> None:
    await create(store, *(run(f"r{at}", at=float(at)) for at in (5, 3, 4, 1, 2)), run("open", "running"))
    assert await store.prune(now=100.0, keep=2) == 3
    assert await listed(store) == ["open", "r4", "r5"]


async def test_what_is_too_old_or_too_many_goes(store: Store) -> None:
    await create(store, *(run(f"r{at}", at=float(at)) for at in range(1, 6)))
    assert await store.prune(now=100.0, before=2.0, keep=3) == 2
    assert await listed(store) == ["r5", "r4", "r3"]


async def test_nothing_is_forgotten_that_nobody_asked_for(store: Store) -> None:
    await create(store, run("r1", at=1.0))
    assert await store.prune(now=100.0) == 0
    assert await listed(store) == ["r1"]


async def test_a_run_goes_with_its_children_once_all_are_over(store: Store) -> None:
    family = [
        run("r1", at=1.0),
        run("c1", at=1.0, parent_id="r1", root_id="r1"),
        run("g1", "running", parent_id="c1", root_id="r1"),
    ]
    await create(store, *family, run("other", at=1.0))
    assert await store.prune(now=100.0, before=50.0) == 1
    assert await listed(store) == ["r1"]
    await store.commit([Change("g1", run=family[2]._replace(state="cancelled", finished_at=2.0))])
    assert await store.prune(now=100.0, before=50.0) == 1
    assert [await store.load(name) for name in ("r1", "c1", "g1")] == [None] * 3
    assert await listed(store, parent_id="r1") == []


async def test_a_child_is_not_forgotten_without_its_parent(store: Store) -> None:
    await create(store, run("r1", "running"), run("c1", at=1.0, parent_id="r1", root_id="r1"))
    assert await store.prune(now=100.0, before=50.0, keep=0) == 0
    assert await store.load("c1") is not None


async def test_very_many_runs_and_rows_are_forgotten(store: Store) -> None:
    await create(store, *(run(f"r{number}", at=1.0) for number in range(450)))
    await create(store, run("wide", at=1.0), run("last", at=3.0))
    many = [TaskRow(f"a[{number}]", "completed") for number in range(5_000)]
    told = [EventDraft("task.completed", 1.0, row.key) for row in many]
    await store.commit([Change("wide", tasks=many, events=told)])
    assert await store.prune(now=100.0, before=2.0) == 451
    assert await listed(store) == ["last"]


async def test_the_id_and_the_key_of_a_run_that_was_forgotten_can_be_given_again(store: Store) -> None:
    await create(store, run("r1", at=1.0, idempotency_key="k"))
    await store.prune(now=100.0, keep=0)
    await create(store, run("r1", "running", idempotency_key="k"))
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert snapshot.seq == 1


async def test_a_page_goes_on_after_a_run_that_was_forgotten(store: Store) -> None:
    await create(store, *(run(f"r{number}", at=float(number)) for number in range(5)))
    first = await store.runs(limit=2)
    await store.commit([Change("r3", run=run("r3", at=-1.0))])
    await store.prune(now=100.0, before=0.0)
    await create(store, run("late", at=9.0))
    assert await listed(store, cursor=first.cursor) == ["r2", "r1", "r0"]


async def test_a_result_is_found_again_until_it_expires(store: Store) -> None:
    await cache(store, run("r1"), "d", {"x": 1}, at=1.0, expires_at=50.0)
    assert await store.cached("local", "d", 49.0) == CachedResult({"x": 1}, "r1", "a")
    assert await store.cached("local", "d", 50.0) is None
    assert await store.cached("local", "other", 1.0) is None
    assert await store.cached("other", "d", 1.0) is None


async def test_the_newest_result_is_found(store: Store) -> None:
    await cache(store, run("r1"), "d", "newer", at=2.0, expires_at=50.0)
    await cache(store, run("r2"), "d", "older", at=1.0, expires_at=90.0)
    found, later = await store.cached("local", "d", 3.0), await store.cached("local", "d", 60.0)
    assert found is not None
    assert later is not None
    assert (found.result, later.result) == ("newer", "older")


async def test_the_result_of_a_task_that_runs_again_is_not_found(store: Store) -> None:
    await cache(store, run("r1", "running"), "d", 1, at=1.0, expires_at=50.0)
    await store.commit([Change("r1", tasks=[TaskRow("a", "running", 2)])])
    assert await store.cached("local", "d", 1.0) is None


async def test_results_go_with_their_run_and_with_their_time(store: Store) -> None:
    await cache(store, run("r1", at=1.0), "d", 1, at=1.0, expires_at=1e12)
    await cache(store, run("r2", "running"), "e", 1, at=1.0, expires_at=50.0)
    await store.prune(now=49.0, before=2.0)
    assert await store.cached("local", "d", 1.0) is None
    assert await store.cached("local", "e", 1.0) is not None
    await store.prune(now=50.0)
    assert await store.cached("local", "e", 1.0) is None


async def test_a_saved_workflow_counts_its_versions(store: Store) -> None:
    report, other = (Workflow.model_validate({"name": "report", "tasks": [{"id": i, "method": "m"}]}) for i in "ab")
    saved = await store.save_workflow("local", report, 1.0, overwrite=False)
    assert (saved.name, saved.version, saved.created_at, saved.updated_at) == ("report", 1, 1.0, 1.0)
    assert await store.save_workflow("local", report, 2.0, overwrite=False) == saved
    with pytest.raises(ConflictError, match='"report"'):
        await store.save_workflow("local", other, 3.0, overwrite=False)
    changed = await store.save_workflow("local", other, 4.0, overwrite=True)
    assert (changed.workflow, changed.version, changed.created_at, changed.updated_at) == (other, 2, 1.0, 4.0)
    assert await store.workflow("local", "report") == changed


async def test_a_document_that_differs_only_to_json_is_another(store: Store) -> None:
    one, true = (
        Workflow.model_validate({"name": "w", "tasks": [{"id": "a", "method": "m", "parameters": {"x": x}}]})
        for x in (1, True)
    )
    await store.save_workflow("local", one, 1.0, overwrite=False)
    with pytest.raises(ConflictError):
        await store.save_workflow("local", true, 2.0, overwrite=False)


async def test_saved_workflows_belong_to_their_caller(store: Store) -> None:
    for caller, name in (("me", "b"), ("me", "a"), ("them", "c")):
        workflow = Workflow.model_validate({"name": name, "tasks": [{"id": "a", "method": "m"}]})
        await store.save_workflow(caller, workflow, 1.0, overwrite=False)
    assert [saved.name for saved in await store.workflows("me")] == ["a", "b"]
    assert await store.workflow("them", "a") is None
    assert not await store.delete_workflow("them", "a")
    assert await store.delete_workflow("me", "a")
    assert [saved.name for saved in await store.workflows("me")] == ["b"]


async def test_whoever_watches_saved_workflows_sees_that_something_has_changed(store: Store) -> None:
    def document(task: str) -> Workflow:
        return Workflow.model_validate({"name": "w", "tasks": [{"id": task, "method": "m"}]})

    states = [await store.workflows_state()]

    async def note(change: Awaitable[object]) -> None:
        await change
        states.append(await store.workflows_state())

    await note(store.save_workflow("me", document("a"), 1.0, overwrite=False))
    await note(store.save_workflow("me", document("b"), 1.0, overwrite=True))
    await note(store.save_workflow("them", document("a"), 1.0, overwrite=False))
    await note(store.delete_workflow("me", "w"))
    await note(store.save_workflow("me", document("a"), 2.0, overwrite=False))
    assert len(set(states)) == len(states)
    await note(store.save_workflow("me", document("a"), 3.0, overwrite=False))
    assert states[-1] == states[-2]


async def test_a_new_run_is_none_of_those_that_were_forgotten(store: Store) -> None:
    """Its number is another, though the newest are gone, and what was left of them takes nothing of it along."""
    await create(store, *(run(f"r{at}", at=float(at)) for at in range(1, 4)))
    cursor = (await store.runs(limit=1)).cursor
    assert await store.prune(now=100.0, keep=0) == 3
    await create(store, run("new", at=5.0))
    await store.prune(now=100.0)
    assert await listed(store) == ["new"]
    assert len(await store.events("new")) == 1
    assert await listed(store, cursor=cursor) == []
