"""What one provider does wrong costs its own task, and nobody else anything."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from gleitzeit.application.workflow_provider import register_workflows
from gleitzeit.core.errors import ConnectionLostError, ExpressionError, GleitzeitError
from gleitzeit.core.models import Workflow
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.engine.local.dispatch import Dispatch
from gleitzeit.providers.base import current_task
from gleitzeit.store.memory import MemoryStore

pytestmark = pytest.mark.anyio

MARK: ContextVar[int] = ContextVar("mark", default=0)
ECHO = [{"id": "a", "method": "test/echo"}]


async def test_a_cancel_scope_that_is_left_open_spoils_nothing_but_its_own_task(bench: Any) -> None:
    kept: list[anyio.CancelScope] = []

    async def careless(_: dict[str, Any]) -> Any:
        kept.append(anyio.CancelScope(deadline=anyio.current_time() + 0.01))
        kept[-1].__enter__()
        return {"n": 1}

    bench.method(careless)
    for _ in range(3):
        run = await bench.run([{"id": "a", "method": "test/careless"}, {"id": "b", "method": "test/echo"}])
        assert (run.status, run.tasks["a"].result) == ("completed", {"n": 1})
    await anyio.sleep(0.02)
    assert (await bench.run(ECHO)).status == "completed"


async def test_a_context_variable_does_not_reach_the_next_task(bench: Any) -> None:
    async def set_mark(_: dict[str, Any]) -> Any:
        MARK.set(MARK.get() + 1)
        return {"mark": MARK.get()}

    bench.method(set_mark)
    tasks = [{"id": f"t{n}", "method": "test/set_mark"} for n in range(20)]
    run = await bench.run({"tasks": tasks, "settings": {"max_parallel_tasks": 1}})
    assert {task.result["mark"] for task in run.tasks.values()} == {1}


async def test_a_provider_that_cannot_describe_its_methods_fails_its_task_alone(bench: Any) -> None:
    async def describe(method: str) -> Any:
        raise RuntimeError("foreign")

    async def lost(_: dict[str, Any]) -> Any:
        bench.provider.describe = describe
        raise ConnectionLostError("gone")

    bench.method(lost)
    run = await bench.run([{"id": "a", "method": "test/lost"}])
    assert (run.status, run.tasks["a"].status) == ("waiting", "unknown")
    del bench.provider.describe
    assert (await bench.run(ECHO)).status == "completed"


@pytest.mark.parametrize("error", [ExpressionError("too large"), RuntimeError("a defect")])
async def test_a_run_that_cannot_be_restored_fails_and_the_others_go_on(
    bench: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    begun = anyio.Event()

    async def stay(_: dict[str, Any]) -> Any:
        begun.set()
        await anyio.sleep_forever()

    async def items(*_: Any) -> Any:
        raise error

    bench.method(stay)
    data = MemoryStore()
    task = {"id": "a", "method": "test/stay", "foreach": "${inputs.items}"}
    async with LocalEngine(bench.registry, data) as one:
        document = Workflow.model_validate({"tasks": [task]})
        run = await one.submit(Submission(document, {"items": [1, 2]}))
        await begun.wait()
    monkeypatch.setattr(Dispatch, "items", items)
    async with LocalEngine(bench.registry, MemoryStore(peer=data)) as two:
        with anyio.fail_after(5):
            assert (await two.wait(run.id)).status == "failed"
            other = await two.submit(Submission(Workflow.model_validate({"tasks": ECHO})))
            assert (await two.wait(other.id)).status == "completed"


@pytest.mark.parametrize("more", [{"when": "1 == 1"}, {"foreach": [1, 2]}, {}])
async def test_a_task_gets_the_slot_that_another_run_has_left(bench: Any, more: dict[str, Any]) -> None:
    await bench.start(max_parallel_tasks=1)
    go, begun = anyio.Event(), anyio.Event()

    async def hold(_: dict[str, Any]) -> Any:
        begun.set()
        await go.wait()

    bench.method(hold)
    first = await bench.submit([{"id": "a", "method": "test/hold"}])
    await begun.wait()
    second = await bench.submit([{"id": "b", "method": "test/echo", **more}])
    go.set()
    with anyio.fail_after(5):
        for run in (first, second):
            assert (await bench.engine.wait(run.id)).status == "completed"


async def test_a_task_whose_wait_for_a_child_was_cut_short_has_its_slot_again(bench: Any) -> None:
    await bench.start(max_parallel_tasks=1)
    register_workflows(bench.registry)
    now, most = 0, 0

    async def busy() -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
        now -= 1

    async def hang(_: dict[str, Any]) -> Any:
        await anyio.sleep_forever()

    async def outer(_: dict[str, Any]) -> Any:
        inner = {"tasks": [{"id": "i", "method": "test/hang"}]}
        with pytest.raises(GleitzeitError):
            await current_task().call("workflow/run", {"workflow": inner, "timeout": 0.05})
        await busy()

    async def other(_: dict[str, Any]) -> Any:
        await busy()

    bench.method(hang)
    bench.method(outer)
    bench.method(other)
    first = await bench.submit([{"id": "a", "method": "test/outer", "calls": ["workflow/run"]}])
    second = await bench.submit([{"id": f"t{n}", "method": "test/other"} for n in range(5)])
    with anyio.fail_after(5):
        for run in (first, second):
            assert (await bench.engine.wait(run.id)).status == "completed"
    assert most == 1
