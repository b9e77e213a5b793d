"""Cancelling runs, and leaving an engine while they run."""

from __future__ import annotations

import time
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from gleitzeit.core.models import Workflow
from gleitzeit.engine.base import Submission
from gleitzeit.engine.evaluator import Evaluator
from gleitzeit.engine.local import LocalEngine
from gleitzeit.store.memory import MemoryStore

pytestmark = pytest.mark.anyio


class Hanging:
    """A method that never returns; knows whether it runs and whether it was stopped."""

    def __init__(self) -> None:
        self.running = anyio.Event()
        self.stopped = anyio.Event()

    async def __call__(self, parameters: dict[str, Any]) -> Any:
        self.running.set()
        try:
            await anyio.sleep_forever()
        finally:
            self.stopped.set()


def hanging(bench: Any) -> Hanging:
    method = bench.provider.functions["hang"] = Hanging()
    return method


TASKS = [{"id": "a", "method": "test/hang"}, {"id": "b", "method": "test/echo", "dependencies": ["a"]}]


async def test_cancelling_reaches_a_running_task_within_a_tenth_of_a_second_and_is_recorded(bench: Any) -> None:
    method = hanging(bench)
    run = await bench.submit(TASKS)
    await method.running.wait()
    begin = time.perf_counter()
    cancelled = await bench.engine.cancel(run.id, "not needed")
    await method.stopped.wait()
    assert time.perf_counter() - begin < 0.1
    assert cancelled.status == "cancelled"
    assert [task.status for task in cancelled.tasks.values()] == ["cancelled", "cancelled"]
    assert (cancelled.error.code, cancelled.error.message) == ("cancelled", "not needed")
    last = (await bench.events(run.id))[-1]
    assert (last.kind, last.data) == ("run.cancelled", {"reason": "not needed"})


async def test_cancelling_twice_or_too_late_changes_nothing(bench: Any) -> None:
    method = hanging(bench)
    run = await bench.submit(TASKS)
    await method.running.wait()
    first = await bench.engine.cancel(run.id, "first")
    assert (await bench.engine.cancel(run.id, "second")) == first
    done = await bench.run([{"id": "a", "method": "test/echo"}])
    assert (await bench.engine.cancel(done.id)).status == "completed"


async def test_a_run_is_cancelled_before_its_first_task_has_begun(bench: Any) -> None:
    hanging(bench)
    run = await bench.submit(TASKS)
    assert (await bench.engine.cancel(run.id)).status == "cancelled"
    await anyio.wait_all_tasks_blocked()
    assert (await bench.engine.get(run.id)).status == "cancelled"


async def test_whoever_waits_learns_of_the_cancellation(bench: Any) -> None:
    method = hanging(bench)
    run = await bench.submit(TASKS)
    seen: list[str] = []

    async def wait() -> None:
        seen.append((await bench.engine.wait(run.id)).status)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await method.running.wait()
            await bench.engine.cancel(run.id)
    assert seen == ["cancelled"]


async def test_a_provider_that_is_slow_to_stop_holds_up_neither_the_answer_nor_the_record(bench: Any) -> None:
    running, let_go, gone = anyio.Event(), anyio.Event(), anyio.Event()

    async def stubborn(parameters: dict[str, Any]) -> Any:
        with anyio.CancelScope(shield=True):
            running.set()
            await let_go.wait()
        gone.set()
        return {"too": "late"}

    bench.method(stubborn)
    run = await bench.submit([{"id": "a", "method": "test/stubborn"}])
    with anyio.fail_after(5):
        await running.wait()
        assert (await bench.engine.cancel(run.id)).status == "cancelled"
        assert (await bench.events(run.id))[-1].kind == "run.cancelled"
        let_go.set()
        await gone.wait()
        await anyio.wait_all_tasks_blocked()
    ended = await bench.engine.get(run.id)
    assert (ended.status, ended.tasks["a"].status, ended.tasks["a"].result) == ("cancelled", "cancelled", None)


async def test_items_that_run_are_cancelled_with_their_run(bench: Any) -> None:
    method = hanging(bench)
    run = await bench.submit([{"id": "each", "method": "test/hang", "foreach": [1, 2]}])
    await method.running.wait()
    await bench.engine.cancel(run.id)
    told = {event.task_id for event in await bench.events(run.id) if event.kind == "task.cancelled"}
    assert told == {"each", "each[0]", "each[1]"}


async def test_leaving_an_engine_stops_what_runs_waits_for_its_clean_up_and_leaves_the_run_to_others(
    bench: Any,
) -> None:
    cleaned: list[str] = []
    running = anyio.Event()

    async def careful(parameters: dict[str, Any]) -> Any:
        running.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
                cleaned.append("done")

    bench.method(careful)
    store = MemoryStore()
    document = Workflow.model_validate({"tasks": [{"id": "a", "method": "test/careful"}]})
    with anyio.fail_after(5):
        async with LocalEngine(bench.registry, store) as engine:
            run = await engine.submit(Submission(document))
            await running.wait()
    snapshot = await store.load(run.id)
    assert cleaned == ["done"]
    assert snapshot is not None
    assert (snapshot.run.state, snapshot.tasks["a"].state, snapshot.owner) == ("running", "running", None)


async def test_an_error_in_the_body_of_an_engine_comes_out_as_it_is(bench: Any) -> None:
    method = hanging(bench)

    async def body() -> None:
        async with LocalEngine(bench.registry) as engine:
            await engine.submit(Submission(Workflow.model_validate({"tasks": TASKS})))
            await method.running.wait()
            raise LookupError("the body")

    with anyio.fail_after(5), pytest.raises(LookupError, match="the body"):
        await body()


async def test_cancelling_while_the_scope_around_the_engine_is_cancelled_ends_everything(bench: Any) -> None:
    method = hanging(bench)
    store = MemoryStore()
    with anyio.move_on_after(5) as scope:
        async with LocalEngine(bench.registry, store) as engine:
            await engine.submit(Submission(Workflow.model_validate({"tasks": TASKS}), run_id="r1"))
            await method.running.wait()
            scope.cancel()
            await anyio.sleep_forever()
    assert method.stopped.is_set()
    snapshot = await store.load("r1")
    assert snapshot is not None
    assert (snapshot.run.state, snapshot.owner) == ("running", None)


async def test_what_a_cancelled_provider_raises_harms_nobody(bench: Any) -> None:
    running = anyio.Event()

    async def leave(_: dict[str, Any]) -> Any:
        running.set()
        try:
            await anyio.sleep_forever()
        finally:
            raise SystemExit(3)

    bench.method(leave)
    run = await bench.submit([{"id": "a", "method": "test/leave"}])
    await running.wait()
    assert (await bench.engine.cancel(run.id)).status == "cancelled"
    await anyio.wait_all_tasks_blocked()
    assert (await bench.run([{"id": "a", "method": "test/echo"}])).status == "completed"


async def test_a_run_that_is_cancelled_while_its_outputs_are_computed_keeps_what_its_tasks_did(bench: Any) -> None:
    await bench.start(evaluator=Evaluator(light=-1, deadline=60, budget=60))
    slow = "${inputs.list.map(x, inputs.list).size()}"
    document = {"tasks": [{"id": "a", "method": "test/echo", "parameters": {"n": 1}}], "outputs": {"n": slow}}
    with anyio.fail_after(10):
        run = await bench.submit(document, {"list": list(range(1000))})
        async for event in bench.engine.events(run.id):
            if event.kind == "task.completed":
                await bench.engine.cancel(run.id)
    cancelled = await bench.engine.get(run.id)
    assert cancelled.status == "cancelled"
    assert (cancelled.tasks["a"].status, cancelled.tasks["a"].result) == ("completed", {"n": 1})
