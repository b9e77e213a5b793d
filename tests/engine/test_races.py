"""Two who want the same at once, and faults at the worst moment."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from gleitzeit.application.workflow_provider import register_workflows
from gleitzeit.core.errors import ConflictError, ProviderError, RunNotFoundError, StoreError, ValidationError
from gleitzeit.core.models import Run, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import Resumption, Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.providers.base import TaskContext, current_task
from gleitzeit.store.base import Snapshot
from gleitzeit.store.memory import MemoryStore

pytestmark = pytest.mark.anyio

ECHO = {"id": "a", "method": "test/echo"}


class Lost:
    """A method of which nobody knows whether it was carried out, the first time."""

    def __init__(self) -> None:
        self.calls = 0

    async def __call__(self, parameters: dict[str, Any]) -> Any:
        self.calls += 1
        if self.calls == 1:
            raise ConnectionResetError("gone")
        return {"n": self.calls}


def document(*tasks: dict[str, Any], **inputs: Any) -> Submission:
    return Submission(Workflow.model_validate({"tasks": list(tasks)}), inputs)


async def over(engine: LocalEngine, run_id: str) -> Run:
    with anyio.fail_after(5):
        return await engine.wait(run_id)


async def test_of_several_who_resume_a_waiting_run_at_once_one_does(bench: Any) -> None:
    method = bench.provider.functions["mail"] = Lost()
    run = await bench.run([{"id": "m", "method": "test/mail"}])
    assert run.status == "waiting"
    outcomes: list[Any] = []

    async def resume() -> None:
        try:
            outcomes.append(await bench.engine.resume(run.id, Resumption(unknown={"m": "rerun"})))
        except (ConflictError, ValidationError) as error:
            outcomes.append(error)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(resume)
    begun = {outcome.id for outcome in outcomes if isinstance(outcome, Run)}
    assert len(begun) == 1
    assert (await over(bench.engine, begun.pop())).status == "completed"
    assert method.calls == 2


async def test_a_resume_that_is_refused_leaves_the_run_as_it_is(bench: Any) -> None:
    begun = anyio.Event()

    async def hang(_: dict[str, Any]) -> Any:
        begun.set()
        await anyio.sleep_forever()

    bench.method(hang)
    data = MemoryStore()
    async with LocalEngine(bench.registry, data) as one:
        run = await one.submit(document({"id": "a", "method": "test/hang", "retry_on_crash": True}))
        await begun.wait()
    async with LocalEngine(bench.registry, MemoryStore(peer=data), recover=False) as two:
        with pytest.raises(ValidationError, match="typo"):
            await two.resume(run.id, Resumption(from_task="typo"))
        assert (await two.get(run.id)).status == "running"
        assert (await two.resume(run.id, Resumption())).id == run.id


async def test_a_run_that_was_claimed_just_before_a_fault_goes_on(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gleitzeit.engine.local.lookout.HEARTBEAT", 0.05)
    monkeypatch.setattr("gleitzeit.engine.local.recovery.HEARTBEAT", 0.05)
    begun = anyio.Event()

    async def slow(_: dict[str, Any]) -> Any:
        if not begun.is_set():
            begun.set()
            await anyio.sleep_forever()

    class Faulty(MemoryStore):
        faults = 1

        async def claim(self, run_id: str) -> Snapshot | None:
            claimed = await super().claim(run_id)
            if self.faults:
                self.faults -= 1
                raise StoreError("read failed after it was claimed")
            return claimed

    bench.method(slow)
    data = MemoryStore()
    async with LocalEngine(bench.registry, data) as one:
        run = await one.submit(document({"id": "a", "method": "test/slow", "retry_on_crash": True}))
        await begun.wait()
    async with LocalEngine(bench.registry, Faulty(peer=data)) as two:
        assert (await over(two, run.id)).status == "completed"


async def test_whoever_waits_for_a_run_reads_it_again_only_where_something_became_of_it(bench: Any) -> None:
    gate = anyio.Event()

    async def held(_: dict[str, Any]) -> Any:
        await gate.wait()

    class Counting(MemoryStore):
        loads: Counter[str]

        async def load(self, run_id: str) -> Snapshot | None:
            self.loads[run_id] += 1
            return await super().load(run_id)

    bench.method(held)
    task = {"id": "a", "method": "test/held", "retry_on_crash": True}
    async with LocalEngine(bench.registry, data := MemoryStore()) as one:
        waited, other = [await one.submit(document(task)) for _ in range(2)]
    gate.set()
    store = Counting(peer=data)
    store.loads = Counter()
    async with LocalEngine(bench.registry, store, recover=False) as two, anyio.create_task_group() as group:
        group.start_soon(over, two, waited.id)
        await anyio.wait_all_tasks_blocked()
        reads = store.loads[waited.id]
        await two.resume(other.id, Resumption())
        assert (await over(two, other.id)).status == "completed"
        await anyio.wait_all_tasks_blocked()
        assert store.loads[waited.id] == reads
        await two.resume(waited.id, Resumption())
    assert [run.state for run in (await data.runs()).runs] == ["completed"] * 2


async def test_several_children_of_one_task_share_its_slot(bench: Any) -> None:
    await bench.start(max_parallel_tasks=1)
    register_workflows(bench.registry)

    async def both(_: dict[str, Any]) -> Any:
        call, workflow = current_task().call, {"tasks": [{**ECHO, "parameters": {"n": 1}}]}

        async def run(number: int) -> None:
            for _ in range(3):
                await call("workflow/run", {"workflow": workflow, "inputs": {}})
                for _ in range(number):
                    await anyio.lowlevel.checkpoint()

        async with anyio.create_task_group() as group:
            for number in range(4):
                group.start_soon(run, number)

    bench.method(both)
    task = {"id": "t", "method": "test/both", "calls": ["workflow/run"]}
    run = await bench.submit([task, {**task, "id": "u"}])
    assert (await over(bench.engine, run.id)).status == "completed"
    assert (await bench.run([ECHO])).status == "completed"


async def test_a_child_that_had_failed_before_the_crash_is_not_run_again(bench: Any) -> None:
    register_workflows(bench.registry)
    mails: list[int] = []
    child_is_over, gone = anyio.Event(), anyio.Event()

    async def mail(_: dict[str, Any]) -> Any:
        mails.append(1)

    async def fail(_: dict[str, Any]) -> Any:
        raise ProviderError("no")

    bench.method(mail)
    bench.method(fail)
    inner = {
        "tasks": [{"id": "m", "method": "test/mail"}, {"id": "f", "method": "test/fail", "dependencies": ["m"]}],
    }

    class Dying(MemoryStore):
        """Keeps the end of the child, and then nothing more."""

        async def commit(self, changes: Sequence[Any]) -> Any:
            if child_is_over.is_set():
                await gone.wait()
            outcomes = await super().commit(changes)
            rows = [change.run for change in changes if change.run is not None]
            if any(row.parent_id and row.state == "failed" for row in rows):
                child_is_over.set()
            return outcomes

    data = Dying()
    parent = {"id": "p", "method": "workflow/run", "parameters": {"workflow": inner}}
    stack = LocalEngine(bench.registry, data)
    engine = await stack.__aenter__()
    run = await engine.submit(document(parent))
    with anyio.fail_after(5):
        await child_is_over.wait()
        uptime = data._uptime() + 60  # pyright: ignore[reportPrivateUsage] - the first process is gone
        later = MemoryStore(peer=data, uptime=lambda: uptime)
        async with LocalEngine(bench.registry, later) as two:
            done = await two.wait(run.id)
    assert (done.status, len(mails)) == ("failed", 1)
    gone.set()
    await stack.__aexit__(None, None, None)


async def test_a_large_run_does_not_starve_small_ones(bench: Any) -> None:
    await bench.start(max_parallel_tasks=2)
    order: list[str] = []

    async def note(parameters: dict[str, Any]) -> Any:
        order.append(parameters["of"])
        await anyio.lowlevel.checkpoint()

    bench.method(note)
    each = {"id": "each", "method": "test/note", "foreach": [0] * 500, "parameters": {"of": "large"}}
    large = await bench.submit({"tasks": [each], "settings": {"max_parallel_tasks": 500}})
    small = await bench.submit([{"id": "s", "method": "test/note", "parameters": {"of": "small"}}])
    assert (await over(bench.engine, small.id)).status == "completed"
    assert (await over(bench.engine, large.id)).status == "completed"
    assert order.index("small") < 100


async def test_a_call_of_a_task_that_has_ended_is_not_carried_out(bench: Any) -> None:
    kept: list[TaskContext] = []
    called: list[int] = []

    async def keep(_: dict[str, Any]) -> Any:
        kept.append(current_task())

    async def act(_: dict[str, Any]) -> Any:
        called.append(1)

    bench.method(keep)
    bench.method(act)
    run = await bench.run([{"id": "a", "method": "test/keep", "calls": ["test/*"]}])
    assert run.status == "completed"
    with pytest.raises(ConflictError):
        await kept[0].call("test/act")
    assert called == []


async def test_a_cached_result_is_not_used_for_other_folders(bench: Any, tmp_path: Any) -> None:
    calls: list[int] = []

    async def read(_: dict[str, Any]) -> Any:
        calls.append(1)

    bench.method(read)
    task = {"id": "a", "method": "test/read", "parameters": {"path": "x"}, "cache": {"ttl": 60}}
    for folder in ("one", "two", "one"):
        run = await bench.engine.submit(
            Submission(Workflow.model_validate({"tasks": [task]}), roots=(tmp_path / folder,))
        )
        assert (await over(bench.engine, run.id)).status == "completed"
    assert len(calls) == 2


async def test_a_run_is_given_up_only_when_its_tasks_have_stopped(bench: Any) -> None:
    begun, owners = anyio.Event(), list[Any]()
    data = MemoryStore()

    async def careful(_: dict[str, Any]) -> Any:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.05)
                snapshot = await data.load("r")
                owners.append(snapshot and snapshot.owner)

    bench.method(careful)
    async with LocalEngine(bench.registry, data) as engine:
        tasks = Workflow.model_validate({"tasks": [{"id": "a", "method": "test/careful"}]})
        await engine.submit(Submission(tasks, run_id="r"))
        await begun.wait()
    snapshot = await data.load("r")
    assert snapshot is not None
    assert (owners[0] is not None, snapshot.owner) == (True, None)


async def test_a_cancellation_that_a_provider_leaves_behind_hits_nobody_else(bench: Any) -> None:
    async def leave(_: dict[str, Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(0.02, task.cancel)
        await anyio.sleep(0.001)
        return {"ok": True}

    async def slow(_: dict[str, Any]) -> Any:
        await anyio.sleep(0.05)
        return {"ok": True}

    bench.method(leave)
    bench.method(slow)
    for _ in range(3):
        tasks = [{"id": "l", "method": "test/leave"}, {"id": "s", "method": "test/slow", "dependencies": ["l"]}]
        run = await bench.run(tasks)
        assert [task.status for task in run.tasks.values()] == ["completed", "completed"]


async def test_repeated_children_of_a_retried_task_are_new(bench: Any) -> None:
    register_workflows(bench.registry)
    calls: list[int] = []

    async def flaky(_: dict[str, Any]) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise ProviderError("once")
        return {"n": len(calls)}

    bench.method(flaky)
    bench.provider.specs["flaky"] = MethodSpec("test/flaky", idempotent=True)
    inner = {"tasks": [{"id": "f", "method": "test/flaky"}]}
    task = {"id": "p", "method": "workflow/run", "parameters": {"workflow": inner}, "retry": {"max_attempts": 2}}
    run = await bench.run([task])
    assert (run.status, run.outputs) == ("completed", {"p": {"f": {"n": 2}}})


async def test_a_child_that_failed_goes_on_from_what_it_has_done_when_its_parent_is_resumed(bench: Any) -> None:
    register_workflows(bench.registry)
    mails: list[int] = []
    failing = [True]

    async def mail(_: dict[str, Any]) -> Any:
        mails.append(1)

    async def flaky(_: dict[str, Any]) -> Any:
        if failing[0]:
            raise ProviderError("not now")
        return {"ok": True}

    bench.method(mail)
    bench.method(flaky)
    inner = {"tasks": [{"id": "m", "method": "test/mail"}, {"id": "f", "method": "test/flaky", "dependencies": ["m"]}]}
    run = await bench.run([{"id": "p", "method": "workflow/run", "parameters": {"workflow": inner}}])
    assert run.status == "failed"
    failing[0] = False
    resumed = await over(bench.engine, (await bench.engine.resume(run.id, Resumption())).id)
    assert (resumed.status, resumed.outputs, len(mails)) == ("completed", {"p": {"f": {"ok": True}}}, 1)


async def test_resuming_a_run_twice_in_the_same_way_gives_the_same_run(bench: Any) -> None:
    calls: list[int] = []

    async def flaky(_: dict[str, Any]) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise ProviderError("once")
        return {"n": len(calls)}

    bench.method(flaky)
    run = await bench.run([{"id": "a", "method": "test/flaky"}, {**ECHO, "id": "b", "dependencies": ["a"]}])
    first = await over(bench.engine, (await bench.engine.resume(run.id, Resumption())).id)
    again = await bench.engine.resume(run.id, Resumption())
    assert (again.id, again.status, len(calls)) == (first.id, "completed", 2)
    now = bench.clock.now()
    bench.clock.now = lambda: now + 3_600
    later = await bench.engine.resume(run.id, Resumption())
    assert later.id not in (run.id, first.id)
    assert (await bench.engine.resume(run.id, Resumption())).id == later.id
    assert (await over(bench.engine, later.id)).status == "completed"
    other = await bench.engine.resume(run.id, Resumption(from_task="a"))
    assert other.id != first.id
    assert (await over(bench.engine, other.id)).status == "completed"


async def test_a_child_is_found_over_several_generations_and_asks_no_more_than_its_parent(bench: Any) -> None:
    register_workflows(bench.registry)
    mails: list[int] = []
    begun = anyio.Event()

    async def mail(_: dict[str, Any]) -> Any:
        mails.append(1)

    async def slow(_: dict[str, Any]) -> Any:
        if not begun.is_set():
            begun.set()
            await anyio.sleep_forever()
        return {"ok": True}

    bench.method(mail)
    bench.method(slow)
    inner = {"tasks": [{"id": "m", "method": "test/mail"}, {"id": "s", "method": "test/slow", "dependencies": ["m"]}]}
    run = await bench.submit([{"id": "p", "method": "workflow/run", "parameters": {"workflow": inner}}])
    await begun.wait()
    await bench.engine.cancel(run.id)
    with pytest.raises(ConflictError, match="p"):
        await bench.engine.resume(run.id, Resumption())
    second = await bench.engine.resume(run.id, Resumption(unknown={"p": "rerun"}))
    done = await over(bench.engine, second.id)
    assert (done.status, done.outputs, len(mails)) == ("completed", {"p": {"s": {"ok": True}}}, 1)


async def test_what_a_provider_schedules_stalls_no_run(bench: Any) -> None:
    async def evil(_: dict[str, Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(0.01, task.cancel)
        return {}

    bench.method(evil)
    outputs = {"n": "${[1, 2, 3].map(x, x * 2).size()}"}
    for _ in range(5):
        run = await bench.run({"tasks": [{"id": "e", "method": "test/evil"}], "outputs": outputs})
        assert (run.status, run.outputs) == ("completed", {"n": 3})


async def test_what_follows_from_a_failure_is_found_although_its_task_is_cut_off(bench: Any) -> None:
    async def describe(method: str) -> Any:
        await anyio.sleep(0.03)

    async def lost(_: dict[str, Any]) -> Any:
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().call_later(0.01, task.cancel)
        raise ConnectionResetError("gone")

    bench.method(lost)
    bench.provider.describe = describe
    run = await bench.run([{"id": "l", "method": "test/lost"}])
    assert run.tasks["l"].status == "unknown"


async def test_an_id_that_cannot_be_written_is_of_no_run(bench: Any) -> None:
    for request in (bench.engine.get, bench.engine.cancel, bench.engine.document):
        with pytest.raises(RunNotFoundError):
            await request("\ud800")
    assert (await bench.engine.list(name="\ud800")).runs == []
    assert (await bench.engine.list(limit=2**70)).runs == []
    run = await bench.run([ECHO])
    assert [event async for event in bench.engine.events(run.id, after=2**70)] == []
