"""Reading on at a run that waits, and at all that has begun in it."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import RunNotFoundError, TimeoutError
from gleitzeit.core.models import Event, Workflow
from gleitzeit.engine.base import Resumption, Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.providers.base import current_task

pytestmark = pytest.mark.anyio


async def uncertain(_: dict[str, Any]) -> Any:
    raise TimeoutError("nobody knows")


@pytest.mark.parametrize("end", ["cancel", "resume"])
async def test_who_is_patient_sees_how_a_run_ends_that_waits_for_a_decision(bench: Any, end: str) -> None:
    bench.method(uncertain)
    run = await bench.run([{"id": "a", "method": "test/uncertain"}])
    assert run.status == "waiting"
    assert await bench.events(run.id) == [event async for event in bench.engine.events(run.id)]
    seen: list[Event] = []

    async def watch() -> None:
        async for event in bench.engine.events(run.id, run.seq, patient=True):
            seen.append(event)  # noqa: PERF401 - each as it happens, not all at the end

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await anyio.wait_all_tasks_blocked()
            assert seen == []
            if end == "cancel":
                await bench.engine.cancel(run.id)
            else:
                await bench.engine.resume(run.id, Resumption(unknown={"a": "completed"}))
    assert seen[-1].kind == "run.cancelled"


async def test_who_is_patient_is_done_when_the_engine_closes(bench: Any) -> None:
    bench.method(uncertain)
    document = Workflow.model_validate({"tasks": [{"id": "a", "method": "test/uncertain"}]})
    engine = LocalEngine(bench.registry, bench.new_store(), clock=bench.clock)
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks, engine:
            run = await engine.wait((await engine.submit(Submission(document))).id)

            async def watch() -> None:
                assert [event async for event in engine.events(run.id, run.seq, patient=True)] == []

            tasks.start_soon(watch)
            await anyio.wait_all_tasks_blocked()


async def test_items_and_calls_are_found_by_their_keys(bench: Any) -> None:
    async def calling(parameters: dict[str, Any]) -> Any:
        return await current_task().call("test/echo", {"n": parameters["n"]})

    bench.method(calling)
    run = await bench.run(
        [
            {"id": "each", "method": "test/echo", "foreach": [1, 2], "parameters": {"n": "${item}"}},
            {"id": "code", "method": "test/calling", "parameters": {"n": 3}, "calls": ["test/*"]},
            {"id": "left", "method": "test/echo", "when": "false"},
        ]
    )
    results = await bench.engine.results(run.id)
    assert list(results)[:3] == ["each", "code", "left"]
    assert results["each[1]"].result == {"n": 2}
    assert {key: results[key].result for key in results if "/" in key} == {"code/1": {"n": 3}}
    assert results["left"].status == "skipped"
    assert "other" not in results


async def test_results_are_those_of_the_caller_alone(bench: Any) -> None:
    run = await bench.run([{"id": "a", "method": "test/echo"}], caller="ann")
    assert (await bench.engine.results(run.id, caller="ann"))["a"].status == "completed"
    with pytest.raises(RunNotFoundError):
        await bench.engine.results(run.id, caller="bo")
