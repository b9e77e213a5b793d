"""Keys, caches, limits and resuming: what whoever submits runs can rely on."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ConflictError, LimitError, ProviderError, ValidationError
from gleitzeit.core.models import Run, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.shares import Room
from gleitzeit.engine.base import Resumption, Submission
from gleitzeit.providers.base import current_task

pytestmark = pytest.mark.anyio

ECHO = {"id": "a", "method": "test/echo", "parameters": {"n": "${inputs.n}"}}


def submission(*tasks: dict[str, Any], inputs: Any = None, **fields: Any) -> Submission:
    return Submission(Workflow.model_validate({"tasks": list(tasks)}), inputs or {"n": 1}, **fields)


class Counted:
    """A method that counts its calls, and fails as long as it is told to."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []
        self.failing = False

    async def __call__(self, parameters: dict[str, Any]) -> Any:
        self.calls.append(dict(parameters))
        if self.failing:
            raise ProviderError("not now")
        return {"count": len(self.calls)}


def counted(bench: Any, name: str = "counted") -> Counted:
    method = bench.provider.functions[name] = Counted()
    return method


async def finished(bench: Any, run: Run) -> Run:
    with anyio.fail_after(5):
        over: Run = await bench.engine.wait(run.id)
    return over


async def test_the_same_key_and_document_give_the_same_run(bench: Any) -> None:
    method = counted(bench)
    task = {"id": "a", "method": "test/counted"}
    first = await bench.engine.submit(submission(task, idempotency_key="k"))
    second = await bench.engine.submit(submission(task, idempotency_key="k"))
    other = await bench.engine.submit(submission(task, idempotency_key="k", caller="them"))
    assert (second.id, other.id == first.id) == (first.id, False)
    await finished(bench, other)
    assert (await bench.engine.submit(submission(task, idempotency_key="k"))).status == "completed"
    assert len(method.calls) == 2


async def test_many_submissions_with_one_key_at_once_give_one_run(bench: Any) -> None:
    ids: set[str] = set()

    async def submit() -> None:
        ids.add((await bench.engine.submit(submission(ECHO, idempotency_key="k"))).id)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(submit)
    assert len(ids) == 1


@pytest.mark.parametrize("other", [submission(ECHO, inputs={"n": 2}), submission({**ECHO, "id": "b"})])
async def test_a_key_that_was_used_for_something_else_is_an_error(bench: Any, other: Submission) -> None:
    first = await bench.engine.submit(submission(ECHO, idempotency_key="k"))
    with pytest.raises(ConflictError) as caught:
        await bench.engine.submit(Submission(other.workflow, other.inputs, idempotency_key="k"))
    assert caught.value.details["run_id"] == first.id


async def test_more_runs_than_may_be_open_are_refused_for_now(bench: Any) -> None:
    gate = anyio.Event()

    async def gated(_: dict[str, Any]) -> Any:
        await gate.wait()

    bench.method(gated)
    await bench.start(open_runs=Room(2))
    runs = [await bench.engine.submit(submission({"id": "a", "method": "test/gated"})) for _ in range(2)]
    with pytest.raises(LimitError, match=r"limits\.open_runs") as caught:
        await bench.engine.submit(submission(ECHO))
    assert caught.value.retryable
    gate.set()
    for run in runs:
        await finished(bench, run)
    assert (await bench.run([ECHO], {"n": 3})).status == "completed"


async def test_a_cached_result_is_used_again_by_the_same_caller_for_the_same_parameters(bench: Any) -> None:
    method = counted(bench)
    task = {"id": "a", "method": "test/counted", "parameters": {"n": "${inputs.n}"}, "cache": {"ttl": 60}}
    first = await bench.run([task], {"n": 1}, caller="me")
    again = await bench.run([task], {"n": 1}, caller="me")
    assert (again.outputs, len(method.calls)) == (first.outputs, 1)
    assert again.tasks["a"].metadata == {"cached": True, "cached_from": f"{first.id}/a"}
    await bench.run([task], {"n": 2}, caller="me")
    await bench.run([task], {"n": 1}, caller="them")
    await bench.run([{**task, "cache": None}], {"n": 1}, caller="me")
    assert len(method.calls) == 4


async def test_a_failed_task_is_not_cached_and_an_old_result_expires(bench: Any) -> None:
    method = counted(bench)
    method.failing = True
    task = {"id": "a", "method": "test/counted", "cache": {"ttl": 60}}
    assert (await bench.run([task])).status == "failed"
    method.failing = False
    assert (await bench.run([task])).outputs == {"a": {"count": 2}}
    now = bench.clock.now()
    bench.clock.now = lambda: now + 61
    assert (await bench.run([task])).outputs == {"a": {"count": 3}}


MAIL = {"id": "mail", "method": "test/mail"}
FLAKY = {"id": "flaky", "method": "test/flaky", "parameters": {"n": "${inputs.n}"}, "dependencies": ["mail"]}
END = {"id": "end", "method": "test/echo", "parameters": {"sum": "${mail.count}"}, "dependencies": ["flaky"]}


async def broken(bench: Any) -> tuple[Run, Counted, Counted]:
    """A run whose second task of three failed."""
    mail, flaky = counted(bench, "mail"), counted(bench, "flaky")
    flaky.failing = True
    run = await bench.run([MAIL, FLAKY, END], {"n": 1})
    assert run.status == "failed"
    flaky.failing = False
    return run, mail, flaky


async def test_a_failed_run_is_resumed_from_where_it_failed(bench: Any) -> None:
    run, mail, flaky = await broken(bench)
    resumed = await finished(bench, await bench.engine.resume(run.id, Resumption()))
    assert (resumed.status, resumed.resumed_from, resumed.outputs) == ("completed", run.id, {"end": {"sum": 1}})
    assert (len(mail.calls), len(flaky.calls)) == (1, 2)
    assert resumed.tasks["mail"].metadata["kept_from"] == run.id
    assert (await bench.engine.get(run.id)).status == "failed"


async def test_other_inputs_run_again_what_refers_to_them(bench: Any) -> None:
    run, mail, flaky = await broken(bench)
    resumed = await finished(bench, await bench.engine.resume(run.id, Resumption(inputs={"n": 7})))
    assert (resumed.status, len(mail.calls), flaky.calls[-1]) == ("completed", 1, {"n": 7})
    again = await finished(bench, await bench.engine.resume(resumed.id, Resumption(inputs={"n": 8})))
    assert (again.status, len(mail.calls), flaky.calls[-1]) == ("completed", 1, {"n": 8})


async def test_a_named_task_runs_again_with_what_follows_it(bench: Any) -> None:
    run, mail, flaky = await broken(bench)
    done = await finished(bench, await bench.engine.resume(run.id, Resumption()))
    with pytest.raises(ConflictError, match="nothing is left to do"):
        await bench.engine.resume(done.id, Resumption())
    with pytest.raises(ValidationError, match="flakey"):
        await bench.engine.resume(done.id, Resumption(from_task="flakey"))
    again = await finished(bench, await bench.engine.resume(done.id, Resumption(from_task="flaky")))
    assert (again.status, len(mail.calls), len(flaky.calls)) == ("completed", 1, 3)


async def test_a_changed_task_runs_again_and_what_does_not_need_it_is_kept(bench: Any) -> None:
    run, mail, _ = await broken(bench)
    changed = Workflow.model_validate({"tasks": [MAIL, {**FLAKY, "method": "test/echo"}, END]})
    resumed = await finished(bench, await bench.engine.resume(run.id, Resumption(workflow=changed)))
    assert (resumed.status, resumed.tasks["flaky"].result, len(mail.calls)) == ("completed", {"n": 1}, 1)


async def test_a_cancelled_run_goes_on_and_asks_about_what_was_cut_off(bench: Any) -> None:
    begun = anyio.Event()

    async def slow(_: dict[str, Any]) -> Any:
        if begun.is_set():
            return {"ok": True}
        begun.set()
        return await anyio.sleep_forever()

    bench.method(slow)
    tasks = [{"id": "a", "method": "test/slow"}, {"id": "b", "method": "test/echo", "dependencies": ["a"]}]
    run = await bench.submit(tasks)
    await begun.wait()
    await bench.engine.cancel(run.id)
    with pytest.raises(ConflictError, match="a"):
        await bench.engine.resume(run.id, Resumption())
    resumed = await finished(bench, await bench.engine.resume(run.id, Resumption(unknown={"a": "rerun"})))
    assert (resumed.status, resumed.tasks["a"].result) == ("completed", {"ok": True})
    bench.provider.specs["slow"] = MethodSpec("test/slow", idempotent=True)
    assert (await finished(bench, await bench.engine.resume(run.id, Resumption()))).status == "completed"


async def test_a_run_that_is_carried_out_is_not_resumed(bench: Any) -> None:
    gate = anyio.Event()

    async def gated(_: dict[str, Any]) -> Any:
        await gate.wait()

    bench.method(gated)
    run = await bench.submit([{"id": "a", "method": "test/gated"}])
    with pytest.raises(ConflictError, match="being carried out"):
        await bench.engine.resume(run.id, Resumption())
    gate.set()
    await finished(bench, run)


async def test_a_half_done_foreach_keeps_its_items(bench: Any) -> None:
    seen: list[int] = []
    bad = {3}

    async def item(parameters: dict[str, Any]) -> Any:
        seen.append(parameters["item"])
        if parameters["item"] in bad:
            raise ProviderError("no")
        return {"n": parameters["item"]}

    bench.method(item)
    task = {"id": "each", "method": "test/item", "foreach": [1, 2, 3, 4], "parameters": {"item": "${item}"}}
    run = await bench.run([{**task, "max_parallel": 1}])
    assert (run.status, seen) == ("failed", [1, 2, 3])
    bad.clear()
    resumed = await finished(bench, await bench.engine.resume(run.id, Resumption()))
    assert resumed.outputs == {"each": [{"n": n} for n in (1, 2, 3, 4)]}
    assert seen == [1, 2, 3, 3, 4]


async def test_a_provider_that_ignores_its_cancellation_fails_its_task_and_holds_up_nobody(
    bench: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gleitzeit.engine.local.work.GRACE", 0.05)
    let_go = anyio.Event()

    async def stubborn(_: dict[str, Any]) -> Any:
        with anyio.CancelScope(shield=True):
            await let_go.wait()
        return {"too": "late"}

    bench.method(stubborn)
    bench.provider.specs["stubborn"] = MethodSpec("test/stubborn", read_only=True)
    await bench.start(max_parallel_tasks=1)
    run = await bench.run([{"id": "a", "method": "test/stubborn", "timeout": 0.02}])
    assert (run.status, run.tasks["a"].error.code) == ("failed", "timeout")
    assert "did not let go" in run.tasks["a"].error.message
    assert (await bench.run([ECHO], {"n": 1})).status == "completed"
    let_go.set()
    await anyio.wait_all_tasks_blocked()
    assert (await bench.engine.get(run.id)).tasks["a"].result is None


async def test_a_provider_that_cancels_the_task_it_runs_in_fails_alone(bench: Any) -> None:
    async def suicidal(_: dict[str, Any]) -> Any:
        import asyncio

        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        return {"n": 1}

    bench.method(suicidal)
    for _ in range(3):
        run = await bench.run([{"id": "a", "method": "test/suicidal"}, {**ECHO, "id": "b", "parameters": {}}])
        assert run.tasks["b"].status == "completed"
        assert run.over or run.status == "waiting"


async def test_a_slot_is_free_again_after_every_kind_of_end(bench: Any) -> None:
    async def hang(_: dict[str, Any]) -> Any:
        if current_task().attempt == 1:
            raise ProviderError("again")
        await anyio.sleep_forever()

    bench.method(hang)
    bench.provider.specs["hang"] = MethodSpec("test/hang", read_only=True)
    await bench.start(max_parallel_tasks=1)
    task = {"id": "a", "method": "test/hang", "retry": {"max_attempts": 2}}
    run = await bench.submit([task, {**task, "id": "b"}])
    with anyio.fail_after(5):
        async for event in bench.engine.events(run.id):
            if event.kind == "task.retrying":
                break
        await bench.engine.cancel(run.id)
    assert (await bench.run([{**task, "timeout": 0.02}])).status == "failed"
    assert (await bench.run([ECHO], {"n": 1})).status == "completed"
