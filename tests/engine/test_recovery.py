"""Runs that another process has left: taken up where they stood, carried out once, decided where need be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.application.workflow_provider import register_workflows
from gleitzeit.core.errors import ConflictError, ProviderError, ValidationError
from gleitzeit.core.models import Event, Run, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import Resumption, Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.providers.base import current_task
from gleitzeit.store.base import Store
from gleitzeit.store.memory import MemoryStore
from gleitzeit.store.sqlite import SqliteStore

pytestmark = pytest.mark.anyio


class Uptime:
    """A clock for leases, which can stop: then its owner looks as if it were gone."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class Processes:
    """Several engines on the same data, as in as many processes."""

    def __init__(self, bench: Any, file: Path | None) -> None:
        self.bench = bench
        self.first = Uptime()
        self.later = Uptime()
        self._stack = AsyncExitStack()
        self._file = file
        self._peer: MemoryStore | None = None

    def store(self, uptime: Uptime) -> Store:
        """A store of its own on the data of all."""
        if self._file is not None:
            return SqliteStore(self._file, uptime=uptime)
        self._peer = MemoryStore(peer=self._peer, uptime=uptime)
        return self._peer

    async def engine(self, uptime: Uptime, **options: Any) -> LocalEngine:
        store = self.stored = self.store(uptime)
        options = {"clock": self.bench.clock, **options}
        return await self._stack.enter_async_context(LocalEngine(self.bench.registry, store, **options))

    async def dying(self, **options: Any) -> LocalEngine:
        """An engine whose process dies when `kill` is called."""
        return await self.engine(self.first, **options)

    def kill(self) -> None:
        """The first process gives no more signs of life, though what it does goes on."""
        self.later.seconds += 60.0

    def after(self) -> Uptime:
        """The clock of a process for which all those before are gone."""
        uptime = Uptime()
        uptime.seconds = self.later.seconds + 60.0
        return uptime

    async def survivor(self, **options: Any) -> LocalEngine:
        """An engine in a process that lives on."""
        return await self.engine(self.later, **options)

    async def close(self) -> None:
        await self._stack.aclose()


@pytest.fixture
async def processes(bench: Any, tmp_path: Path) -> AsyncIterator[Processes]:
    made = Processes(bench, None if bench.new_store is MemoryStore else tmp_path / "shared.db")
    yield made
    await made.close()


class Gated:
    """A method that says when it has begun, and goes on when it may; later calls return at once."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.gate = anyio.Event()
        self.calls: list[tuple[str, int]] = []

    async def __call__(self, parameters: dict[str, Any]) -> Any:
        task = current_task()
        self.calls.append((task.task_id, task.attempt))
        if not self.begun.is_set():
            self.begun.set()
            await self.gate.wait()
        return {"n": len(self.calls)}


def gated(bench: Any, **spec: Any) -> Gated:
    method = bench.provider.functions["gated"] = Gated()
    if spec:
        bench.provider.specs["gated"] = MethodSpec("test/gated", **spec)
    return method


def document(*tasks: dict[str, Any], **more: Any) -> Submission:
    inputs = more.pop("inputs", {})
    return Submission(Workflow.model_validate({"tasks": list(tasks), **more}), inputs)


GATED = {"id": "a", "method": "test/gated", "dependencies": ["first"]}
FIRST = {"id": "first", "method": "test/echo", "parameters": {"x": 1}}


async def ended(engine: LocalEngine, run_id: str) -> Run:
    with anyio.fail_after(5):
        return await engine.wait(run_id)


async def told(engine: LocalEngine, run_id: str) -> list[Event]:
    with anyio.fail_after(5):
        return [event async for event in engine.events(run_id)]


async def test_a_run_goes_on_elsewhere_and_keeps_what_it_has(processes: Processes) -> None:
    method = gated(processes.bench, read_only=True)
    one = await processes.dying()
    run = await one.submit(document(FIRST, GATED, {"id": "end", "method": "test/echo", "parameters": {"n": "${a.n}"}}))
    await method.begun.wait()
    processes.kill()
    two = await processes.survivor()
    done = await ended(two, run.id)
    assert (done.status, done.outputs, done.tasks["a"].attempts) == ("completed", {"end": {"n": 2}}, 2)
    assert method.calls == [("a", 1), ("a", 2)]
    kinds = [(event.kind, event.task_id) for event in await told(two, run.id)]
    assert kinds.count(("task.completed", "first")) == kinds.count(("task.completed", "a")) == 1
    assert ("run.recovered", None) in kinds


async def test_what_the_old_owner_still_brings_is_not_accepted(processes: Processes) -> None:
    method = gated(processes.bench, idempotent=True)
    one = await processes.dying()
    run = await one.submit(document(FIRST, GATED))
    await method.begun.wait()
    processes.kill()
    two = await processes.survivor()
    done = await ended(two, run.id)
    method.gate.set()
    await anyio.wait_all_tasks_blocked()
    assert await two.get(run.id) == done
    assert (await ended(one, run.id)).outputs == done.outputs
    assert [event.seq for event in await told(one, run.id)] == list(range(1, done.seq + 1))


@pytest.mark.parametrize(("fields", "spec"), [({}, {}), ({"retry_on_crash": False}, {"read_only": True})])
async def test_a_task_that_must_not_run_twice_waits_for_a_decision(
    processes: Processes, fields: Any, spec: Any
) -> None:
    method = gated(processes.bench, **spec)
    one = await processes.dying()
    run = await one.submit(
        document(FIRST, {**GATED, **fields}, {"id": "b", "method": "test/echo", "parameters": {"x": "${a}"}})
    )
    await method.begun.wait()
    processes.kill()
    two = await processes.survivor()
    waiting = await ended(two, run.id)
    assert (waiting.status, waiting.tasks["a"].status, waiting.tasks["b"].status) == ("waiting", "unknown", "pending")
    assert waiting.tasks["a"].error is not None
    assert (waiting.tasks["a"].error.code, len(method.calls)) == ("interrupted", 1)
    with pytest.raises(ConflictError):
        await two.resume(run.id, Resumption())
    with pytest.raises(ValidationError):
        await two.resume(run.id, Resumption(unknown={"nobody": "rerun"}))
    resumed = await two.resume(run.id, Resumption(unknown={"a": "completed"}))
    done = await ended(two, resumed.id)
    assert (done.status, done.outputs, done.resumed_from) == ("completed", {"b": {"x": {}}}, run.id)
    assert len(method.calls) == 1
    assert (await two.get(run.id)).status == "cancelled"


async def test_a_task_may_be_run_again_by_decision(processes: Processes) -> None:
    method = gated(processes.bench)
    one = await processes.dying()
    run = await one.submit(document(FIRST, GATED))
    await method.begun.wait()
    processes.kill()
    two = await processes.survivor()
    await ended(two, run.id)
    done = await ended(two, (await two.resume(run.id, Resumption(unknown={"a": "rerun"}))).id)
    assert (done.status, done.outputs) == ("completed", {"a": {"n": 2}})


async def test_a_document_may_allow_what_its_method_does_not_promise(processes: Processes) -> None:
    method = gated(processes.bench)
    one = await processes.dying()
    run = await one.submit(document(FIRST, {**GATED, "retry_on_crash": True}))
    await method.begun.wait()
    processes.kill()
    assert (await ended(await processes.survivor(), run.id)).status == "completed"
    assert len(method.calls) == 2


async def test_the_items_of_a_foreach_that_are_over_stay_so(processes: Processes) -> None:
    bench, seen = processes.bench, list[int]()
    begun, gate = anyio.Event(), anyio.Event()

    async def item(parameters: dict[str, Any]) -> Any:
        seen.append(parameters["item"])
        if parameters["item"] == 3 and not begun.is_set():
            begun.set()
            await gate.wait()
        return parameters["item"] * 10

    bench.method(item)
    bench.provider.specs["item"] = MethodSpec("test/item", idempotent=True)
    one = await processes.dying()
    task = {"id": "each", "method": "test/item", "foreach": "${inputs.items}", "max_parallel": 1}
    run = await one.submit(document({**task, "parameters": {"item": "${item}"}}, inputs={"items": [1, 2, 3, 4]}))
    await begun.wait()
    processes.kill()
    done = await ended(await processes.survivor(), run.id)
    assert done.outputs == {"each": [{"result": n} for n in (10, 20, 30, 40)]}
    assert seen == [1, 2, 3, 3, 4]


async def test_the_next_attempt_is_due_when_it_was(processes: Processes) -> None:
    bench, calls = processes.bench, list[int]()

    async def flaky(parameters: dict[str, Any]) -> Any:
        calls.append(current_task().attempt)
        if len(calls) == 1:
            raise ProviderError("not yet")
        return {"ok": True}

    class Waiting(type(bench.clock)):  # type: ignore[misc]
        async def sleep(self, seconds: float) -> None:
            await anyio.sleep_forever()

    bench.method(flaky)
    one = await processes.dying(clock=Waiting())
    task = {"id": "a", "method": "test/flaky", "retry": {"max_attempts": 3, "delay": 40}}
    run = await one.submit(document(task))
    with anyio.fail_after(5):
        async for event in one.events(run.id):
            if event.kind == "task.retrying":
                break
    assert (await one.get(run.id)).tasks["a"].status == "ready"
    processes.kill()
    done = await ended(await processes.survivor(), run.id)
    assert (done.status, done.tasks["a"].attempts, calls) == ("completed", 2, [1, 2])
    assert 30 < bench.clock.slept[-1] <= 40


async def test_a_run_is_left_to_processes_that_serve_its_methods(processes: Processes) -> None:
    method = gated(processes.bench, read_only=True)
    one = await processes.dying()
    run = await one.submit(document(FIRST, GATED, {"id": "b", "method": "elsewhere/do", "dependencies": ["a"]}))
    await method.begun.wait()
    processes.kill()
    two = await processes.survivor()
    await anyio.wait_all_tasks_blocked()
    assert ((await two.get(run.id)).status, len(method.calls)) == ("running", 1)


async def test_runs_of_an_engine_that_was_left_go_on_in_another(processes: Processes) -> None:
    bench = processes.bench
    method = gated(bench, read_only=True)
    async with LocalEngine(bench.registry, processes.store(processes.first), clock=bench.clock) as one:
        run = await one.submit(document(FIRST, GATED))
        await method.begun.wait()
    async with LocalEngine(bench.registry, processes.store(processes.first), clock=bench.clock) as two:
        assert (await ended(two, run.id)).status == "completed"


async def test_a_run_that_nobody_carries_out_goes_on_when_it_is_resumed(processes: Processes) -> None:
    method = gated(processes.bench, read_only=True)
    one = await processes.dying()
    run = await one.submit(document(FIRST, GATED))
    await method.begun.wait()
    two = await processes.survivor(recover=False)
    with pytest.raises(ConflictError, match="being carried out by another process"):
        await two.resume(run.id, Resumption())
    processes.kill()
    assert (await two.resume(run.id, Resumption())).id == run.id
    assert (await ended(two, run.id)).status == "completed"


async def test_another_process_cancels_and_follows_a_run(processes: Processes) -> None:
    method = gated(processes.bench)
    one = await processes.dying()
    two = await processes.engine(processes.first)
    run = await one.submit(document(FIRST, GATED))
    seen: list[Event] = []

    async def follow() -> None:
        seen.extend([event async for event in two.events(run.id)])

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(follow)
            await method.begun.wait()
            await two.cancel(run.id, "enough")
    cancelled = await two.get(run.id)
    assert (cancelled.status, str(cancelled.error)) == ("cancelled", "enough")
    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].kind == "run.cancelled"


async def test_a_child_run_is_found_again_by_the_task_that_started_it(processes: Processes) -> None:
    bench = processes.bench
    register_workflows(bench.registry)
    method = gated(bench, read_only=True)
    inner = {"tasks": [FIRST, GATED]}
    one = await processes.dying()
    run = await one.submit(document({"id": "p", "method": "workflow/run", "parameters": {"workflow": inner}}))
    await method.begun.wait()
    processes.kill()
    two = await processes.survivor()
    done = await ended(two, run.id)
    assert (done.status, done.outputs) == ("completed", {"p": {"a": {"n": 2}}})
    page = await processes.stored.runs(parent_id=run.id)
    assert [head.state for head in page.runs] == ["completed"]


async def test_a_task_that_ends_its_process_every_time_is_given_up(processes: Processes) -> None:
    bench = processes.bench
    starts: list[int] = []
    begun: list[anyio.Event] = [anyio.Event() for _ in range(8)]

    async def deadly(parameters: dict[str, Any]) -> Any:
        starts.append(current_task().attempt)
        begun[len(starts)].set()
        await anyio.sleep_forever()

    bench.method(deadly)
    bench.provider.specs["deadly"] = MethodSpec("test/deadly", read_only=True)
    one = await processes.dying()
    run = await one.submit(document({"id": "a", "method": "test/deadly"}))
    await begun[1].wait()
    for number in range(2, 7):
        processes.later = processes.after()
        await processes.survivor()
        with anyio.fail_after(5):
            await begun[number].wait()
    processes.later = processes.after()
    done = await ended(await processes.survivor(), run.id)
    assert (done.status, starts) == ("failed", [1, 2, 3, 4, 5, 6])
    assert done.tasks["a"].error is not None
    assert done.tasks["a"].error.code == "provider_crashed"
