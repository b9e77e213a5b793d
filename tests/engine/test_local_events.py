"""Events: complete, in order, told to many, and progress among them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import StoreError
from gleitzeit.core.models import Event
from gleitzeit.providers.base import current_task
from gleitzeit.store.base import Change, Committed
from gleitzeit.store.memory import MemoryStore

pytestmark = pytest.mark.anyio


def kinds(events: Sequence[Event]) -> list[str]:
    return [f"{event.kind} {event.task_id}" if event.task_id else event.kind for event in events]


async def test_events_tell_the_whole_run_in_order(bench: Any) -> None:
    run = await bench.run(
        [
            {"id": "a", "method": "test/echo"},
            {"id": "b", "method": "test/echo", "dependencies": ["a"], "when": "false"},
            {"id": "c", "method": "test/echo", "foreach": [1], "dependencies": ["b"]},
        ]
    )
    events = await bench.events(run.id)
    assert kinds(events) == [
        "run.submitted",
        "task.started a",
        "task.completed a",
        "task.skipped b",
        "task.started c",
        "task.started c[0]",
        "task.completed c[0]",
        "task.completed c",
        "run.completed",
    ]
    assert [event.seq for event in events] == list(range(1, 10))
    assert run.seq == 9


async def test_events_are_told_from_where_the_reader_is(bench: Any) -> None:
    run = await bench.run([{"id": "a", "method": "test/echo"}])
    assert kinds([event async for event in bench.engine.events(run.id, after=2)]) == [
        "task.completed a",
        "run.completed",
    ]
    assert [event async for event in bench.engine.events(run.id, after=99)] == []


async def test_many_watchers_see_each_event_as_it_happens(bench: Any) -> None:
    gate = anyio.Event()

    async def gated(parameters: dict[str, Any]) -> Any:
        await gate.wait()

    bench.method(gated)
    run = await bench.submit(
        [{"id": "a", "method": "test/gated"}, {"id": "b", "method": "test/echo", "dependencies": ["a"]}]
    )
    seen: list[list[Event]] = [[] for _ in range(20)]

    async def watch(into: list[Event]) -> None:
        async for event in bench.engine.events(run.id):
            into.append(event)  # noqa: PERF401 - each as it happens, not all at the end

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for into in seen:
                group.start_soon(watch, into)
            await anyio.wait_all_tasks_blocked()
            assert kinds(seen[0]) == ["run.submitted", "task.started a"]
            gate.set()
    assert seen == [await bench.events(run.id)] * 20
    assert seen[0][-1].kind == "run.completed"


async def test_a_watcher_that_reads_nothing_holds_up_nobody(bench: Any) -> None:
    run = await bench.submit([{"id": "each", "method": "test/echo", "foreach": [0] * 2_000}])
    watcher = bench.engine.events(run.id)
    first = await anext(watcher)
    with anyio.fail_after(10):
        assert (await bench.engine.wait(run.id)).status == "completed"
        rest = [event async for event in watcher]
    assert [event.seq for event in [first, *rest]] == list(range(1, 4_005))


async def test_progress_is_told_and_its_last_report_always_kept(bench: Any) -> None:
    async def busy(parameters: dict[str, Any]) -> Any:
        for done in range(1, 1_001):
            await current_task().report_progress(done, 1_000, f"at {done}")

    bench.method(busy)
    run = await bench.run([{"id": "a", "method": "test/busy"}])
    progress = [event.data for event in await bench.events(run.id) if event.kind == "task.progress"]
    assert 2 <= len(progress) < 100
    assert progress[0] == {"done": 1, "total": 1_000, "message": "at 1"}
    assert progress[-1] == {"done": 1_000, "total": 1_000, "message": "at 1000"}
    assert kinds(await bench.events(run.id))[-2:] == ["task.completed a", "run.completed"]


async def test_a_report_is_told_soon_even_when_none_follows(bench: Any) -> None:
    async def pause(parameters: dict[str, Any]) -> Any:
        await current_task().report_progress(1)
        await current_task().report_progress(2)
        await anyio.sleep_forever()

    bench.method(pause)
    run = await bench.submit([{"id": "a", "method": "test/pause"}])
    with anyio.fail_after(5):
        async for event in bench.engine.events(run.id):
            if event.kind == "task.progress" and event.data["done"] == 2:
                break
    assert (await bench.engine.cancel(run.id)).status == "cancelled"


@pytest.mark.parametrize(
    "number", [float("nan"), float("inf"), 10**400, -(10**400)], ids=["nan", "inf", "large", "small"]
)
async def test_progress_that_makes_no_sense_harms_nothing(bench: Any, number: float) -> None:
    async def odd(parameters: dict[str, Any]) -> Any:
        await current_task().report_progress(number, number, "x" * 100_000)
        return {}

    bench.method(odd)
    run = await bench.run([{"id": "a", "method": "test/odd"}])
    (progress,) = [event.data for event in await bench.events(run.id) if event.kind == "task.progress"]
    assert set(progress) == {"message"}
    assert len(progress["message"]) == 1_000


class Broken(MemoryStore):
    """Can't write events of some kinds, once or for ever."""

    def __init__(self, refuses: str, error: Exception, times: float = math.inf) -> None:
        super().__init__()
        self.refuses = refuses
        self.error = error
        self.times = times

    async def commit(self, changes: Sequence[Change]) -> Sequence[Committed]:
        drafts = [draft for change in changes if not change.new for draft in change.events]
        if self.times > 0 and any(draft.kind.startswith(self.refuses) for draft in drafts):
            self.times -= 1
            raise self.error
        return await super().commit(changes)


async def test_what_has_happened_is_written_once_the_disk_has_room_again(bench: Any) -> None:
    await bench.start(store=Broken("task.completed", StoreError("the disk is full"), times=2))
    run = await bench.run([{"id": "a", "method": "test/echo", "parameters": {"n": 1}}])
    assert (run.status, run.outputs) == ("completed", {"a": {"n": 1}})


async def test_a_run_is_refused_while_it_cannot_be_recorded(bench: Any) -> None:
    class Full(MemoryStore):
        async def commit(self, changes: Sequence[Change]) -> Sequence[Committed]:
            raise StoreError("the disk is full")

    await bench.start(store=Full())
    with anyio.fail_after(5), pytest.raises(StoreError, match="the disk is full"):
        await bench.submit([{"id": "a", "method": "test/echo"}])


async def test_a_defect_of_the_store_ends_the_run_as_failed_and_not_the_engine(bench: Any) -> None:
    await bench.start(store=Broken("task.completed", ValueError("no such column")))
    run = await bench.run([{"id": "a", "method": "test/echo"}])
    assert (run.status, run.error.code) == ("failed", "internal")
    assert "no such column" in run.error.message


async def test_nobody_waits_for_ever_when_not_even_the_end_can_be_stored(bench: Any) -> None:
    await bench.start(store=Broken("", ValueError("no such table")))
    run = await bench.submit([{"id": "a", "method": "test/echo"}])
    with anyio.fail_after(5):
        assert (await bench.engine.wait(run.id, 0.2)).status == "running"
