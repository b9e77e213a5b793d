"""Nested calls and workflows inside of workflows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
import yaml

from gleitzeit.application.workflow_provider import register_workflows
from gleitzeit.core.errors import ConflictError, DocumentError, ForbiddenError, ProviderError
from gleitzeit.core.models import Run, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.providers.base import TaskContext, current_task
from gleitzeit.store.base import TaskRow
from gleitzeit.store.sqlite import SqliteStore

pytestmark = pytest.mark.anyio


def calling(bench: Any, method: str, parameters: Any) -> None:
    async def caller(_: dict[str, Any]) -> Any:
        return {"got": await current_task().call(method, parameters)}

    bench.method(caller)


def caller(*calls: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": "a", "method": "test/caller", "calls": list(calls), **fields}]


async def children(bench: Any, run: Run) -> list[Run]:
    page = await bench.store.runs(parent_id=run.id)
    return [await bench.engine.get(row.id) for row in page.runs]


async def calls_of(bench: Any, run: Run) -> dict[str, TaskRow]:
    """The rows of the calls that the code of a run's tasks has made."""
    snapshot = await bench.store.load(run.id)
    return {key: row for key, row in snapshot.tasks.items() if "/" in key}


async def test_a_nested_call_is_a_row_and_events_of_its_run(bench: Any) -> None:
    calling(bench, "test/echo", {"n": [1]})
    run = await bench.run(caller("test/e*"))
    assert run.outputs == {"a": {"got": {"n": [1]}}}
    assert list(run.tasks) == ["a"]
    rows = await calls_of(bench, run)
    assert {key: (row.state, row.result) for key, row in rows.items()} == {"a/1": ("completed", {"n": [1]})}
    assert await children(bench, run) == []
    told = [(event.kind, event.task_id) for event in await bench.events(run.id) if event.task_id]
    assert told == [
        ("task.started", "a"),
        ("task.started", "a/1"),
        ("task.completed", "a/1"),
        ("task.completed", "a"),
    ]


async def test_the_items_of_a_foreach_have_calls_of_their_own(bench: Any) -> None:
    calling(bench, "test/echo", {"n": 1})
    run = await bench.run(caller("test/*", foreach=[1, 2]))
    assert run.outputs == {"a": [{"got": {"n": 1}}] * 2}
    assert sorted(await calls_of(bench, run)) == ["a[0]/1", "a[1]/1"]


async def test_an_attempt_goes_on_with_the_calls_of_the_one_before(bench: Any) -> None:
    sent: list[int] = []

    async def send(parameters: dict[str, Any]) -> Any:
        sent.append(parameters["n"])
        return parameters

    async def caller(_: dict[str, Any]) -> Any:
        task = current_task()
        first = await task.call("test/send", {"n": 1})
        if task.attempt == 1:
            raise ProviderError("once more")
        return {"first": first, "second": await task.call("test/send", {"n": 2})}

    bench.method(send)
    bench.method(caller)
    run = await bench.run([{"id": "a", "method": "test/caller", "calls": ["*"], "retry": {"max_attempts": 2}}])
    assert run.outputs == {"a": {"first": {"n": 1}, "second": {"n": 2}}}
    assert (sent, run.tasks["a"].attempts) == ([1, 2], 2)


async def test_after_a_crash_completed_calls_are_found_again_and_nothing_is_sent_twice(
    bench: Any, tmp_path: Path
) -> None:
    sent: list[int] = []
    stopped = anyio.Event()

    async def send(parameters: dict[str, Any]) -> Any:
        sent.append(parameters["n"])
        return parameters

    async def caller(_: dict[str, Any]) -> Any:
        task = current_task()
        results = [await task.call("test/send", {"n": n}) for n in range(3)]
        if not stopped.is_set():
            stopped.set()
            await anyio.sleep_forever()
        return {"all": [*results, await task.call("test/send", {"n": 3})]}

    bench.method(send)
    bench.method(caller)
    task = {"id": "a", "method": "test/caller", "calls": ["test/*"], "retry_on_crash": True}
    document = Workflow.model_validate({"tasks": [task]})
    with anyio.fail_after(10):
        async with LocalEngine(bench.registry, SqliteStore(tmp_path / "one.db")) as engine:
            run = await engine.submit(Submission(document))
            await stopped.wait()
        async with LocalEngine(bench.registry, SqliteStore(tmp_path / "one.db")) as engine:
            run = await engine.wait(run.id)
    assert run.outputs == {"a": {"all": [{"n": n} for n in range(4)]}}
    assert sent == [0, 1, 2, 3]


@pytest.mark.parametrize("calls", [[], ["test/other"], ["mcp/*"]])
async def test_a_call_that_the_task_does_not_name_is_forbidden(bench: Any, calls: list[str]) -> None:
    calling(bench, "test/echo", {})
    run = await bench.run(caller(*calls))
    assert run.tasks["a"].error.code == "forbidden"
    assert "test/echo" in run.tasks["a"].error.message
    assert await calls_of(bench, run) == {}


async def test_a_call_that_the_policy_refuses_is_forbidden(bench: Any) -> None:
    def policy(method: str) -> None:
        if method == "test/echo":
            raise ForbiddenError(f"nobody may use {method}")

    await bench.start(policy=policy)
    calling(bench, "test/echo", {})
    run = await bench.run(caller("test/*"), caller="me")
    assert (run.tasks["a"].error.code, run.tasks["a"].error.message) == ("forbidden", "nobody may use test/echo")


async def test_a_call_of_what_nobody_serves_is_refused(bench: Any) -> None:
    calling(bench, "nowhere/do", {})
    run = await bench.run(caller("*"))
    assert run.tasks["a"].error.code == "method_not_found"
    assert await calls_of(bench, run) == {}


async def test_a_nested_call_raises_what_its_method_raised(bench: Any) -> None:
    caught: list[ProviderError] = []

    async def failing(_: dict[str, Any]) -> Any:
        raise ProviderError("no luck", hint="try later", details={"n": 1})

    async def caller(_: dict[str, Any]) -> Any:
        try:
            await current_task().call("test/failing")
        except ProviderError as error:
            caught.append(error)
        return {"ok": True}

    bench.method(failing)
    bench.method(caller)
    run = await bench.run([{"id": "a", "method": "test/caller", "calls": ["test/*"]}])
    assert run.status == "completed"
    (error,) = caught
    assert (error.message, error.hint, error.retryable, error.details) == ("no luck", "try later", True, {"n": 1})


async def test_what_a_nested_call_passes_on_is_data_and_never_a_reference(bench: Any) -> None:
    await bench.start(secrets={"KEY": "s3cret"})
    given = {"text": "${secrets.KEY} $${x} ${{ y }}", "deep": ["${run.id}"]}
    calling(bench, "test/echo", given)
    run = await bench.run(caller("test/*"))
    assert run.outputs["a"]["got"] == given


async def test_code_in_a_nested_call_arrives_as_it_is(bench: Any) -> None:
    bench.provider.specs["echo"] = MethodSpec("test/echo", code=("code",))
    calling(bench, "test/echo", {"code": "`${x}`", "text": "${x}"})
    run = await bench.run(caller("test/*"))
    assert run.outputs["a"]["got"] == {"code": "`${x}`", "text": "${x}"}


async def test_stopping_a_task_stops_its_calls(bench: Any) -> None:
    stopped = anyio.Event()

    async def hang(_: dict[str, Any]) -> Any:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    bench.method(hang)
    calling(bench, "test/hang", {})
    run = await bench.run(caller("test/*", timeout=0.05))
    with anyio.fail_after(5):
        await stopped.wait()
    assert (run.tasks["a"].status, (await calls_of(bench, run))["a/1"].state) == ("unknown", "running")


async def test_cancelling_a_run_cancels_its_calls(bench: Any) -> None:
    running = anyio.Event()

    async def hang(_: dict[str, Any]) -> Any:
        running.set()
        await anyio.sleep_forever()

    bench.method(hang)
    calling(bench, "test/hang", {})
    run = await bench.submit(caller("test/*"))
    with anyio.fail_after(5):
        await running.wait()
        await bench.engine.cancel(run.id)
    assert (await calls_of(bench, run))["a/1"].state == "cancelled"


async def test_a_task_that_is_over_neither_calls_nor_reports_any_more(bench: Any) -> None:
    kept: list[TaskContext] = []

    async def keep(_: dict[str, Any]) -> Any:
        kept.append(current_task())

    gate = anyio.Event()

    async def gated(_: dict[str, Any]) -> Any:
        await gate.wait()

    bench.method(keep)
    bench.method(gated)
    tasks = [{"id": "a", "method": "test/keep", "calls": ["*"]}, {"id": "b", "method": "test/gated"}]
    run = await bench.submit(tasks)
    await anyio.wait_all_tasks_blocked()
    await kept[0].report_progress(1)
    with pytest.raises(ConflictError, match="over"):
        await kept[0].call("test/echo")
    gate.set()
    assert "task.progress" not in [event.kind for event in await bench.events(run.id)]


@pytest.fixture
async def nesting(bench: Any) -> Any:
    register_workflows(bench.registry)
    return bench


def nested(workflow: Any, **parameters: Any) -> list[dict[str, Any]]:
    return [{"id": "sub", "method": "workflow/run", "parameters": {"workflow": workflow, **parameters}}]


INNER = {
    "inputs": {"n": {"type": "integer"}},
    "tasks": [{"id": "b", "method": "test/echo", "parameters": {"n": "${inputs.n}"}}],
    "outputs": {"n": "${b.n}"},
}


async def test_code_may_run_a_workflow_which_is_a_run_of_its_own(nesting: Any) -> None:
    await nesting.start(max_parallel_tasks=1)
    calling(nesting, "workflow/run", {"workflow": INNER, "inputs": {"n": 5}})
    run = await nesting.run(caller("workflow/*"))
    assert run.outputs == {"a": {"got": {"n": 5}}}
    (child,) = await children(nesting, run)
    assert (await calls_of(nesting, run))["a/1"].metadata["child_run"] == child.id
    (row,) = (await nesting.store.runs(parent_id=run.id)).runs
    assert row.parent_task == "a/1"


async def test_a_call_cannot_pass_a_secret_on_to_another_workflow(nesting: Any) -> None:
    await nesting.start(secrets={"KEY": "s3cret"})
    calling(nesting, "workflow/run", {"workflow": INNER, "inputs": {"n": "s3cret"}})
    run = await nesting.run(caller("workflow/*", parameters={"key": "${secrets.KEY}"}))
    assert run.tasks["a"].error.code == "forbidden"
    assert await children(nesting, run) == []


@pytest.mark.parametrize("workflow", [INNER, yaml.safe_dump(INNER)])
async def test_the_outputs_of_a_workflow_are_the_result_of_its_task(nesting: Any, workflow: Any) -> None:
    run = await nesting.run(nested(workflow, inputs={"n": "${inputs.n}"}), {"n": 5})
    assert run.outputs == {"sub": {"n": 5}}
    (child,) = await children(nesting, run)
    assert run.tasks["sub"].metadata == {"child_run": child.id}


async def test_a_failed_workflow_fails_its_task_in_the_words_of_the_task_that_failed(nesting: Any) -> None:
    run = await nesting.run(nested({"tasks": [{"id": "b", "method": "test/nowhere"}]}))
    error = run.tasks["sub"].error
    assert error.code == "method_not_found"
    assert 'task "b" failed' in error.message


async def test_a_workflow_that_starts_itself_ends_at_the_eighth_level(nesting: Any) -> None:
    inner: dict[str, Any] = {"tasks": [{"id": "end", "method": "test/echo"}]}
    fits = inner
    for _ in range(8):
        fits = {"tasks": nested(fits)}
    assert (await nesting.run(fits)).status == "completed"
    run = await nesting.run({"tasks": nested(fits)})
    assert (run.status, run.error.code) == ("failed", "limit_exceeded")


async def test_cancelling_reaches_a_workflow_inside(nesting: Any) -> None:
    running = anyio.Event()

    async def hang(_: dict[str, Any]) -> Any:
        running.set()
        await anyio.sleep_forever()

    nesting.method(hang)
    run = await nesting.submit(nested({"tasks": [{"id": "b", "method": "test/hang"}]}))
    with anyio.fail_after(5):
        await running.wait()
        await nesting.engine.cancel(run.id)
    (child,) = await children(nesting, run)
    assert child.status == "cancelled"


async def test_a_workflow_whose_fate_is_unknown_leaves_its_task_unknown(nesting: Any) -> None:
    async def broken(_: dict[str, Any]) -> Any:
        raise ConnectionResetError("gone")

    nesting.method(broken)
    run = await nesting.run(nested({"tasks": [{"id": "b", "method": "test/broken"}]}))
    assert (run.status, run.tasks["sub"].status) == ("waiting", "unknown")


async def test_a_workflow_that_does_not_check_is_refused_with_all_that_is_wrong(nesting: Any) -> None:
    run = await nesting.run(nested({"tasks": [{"id": "b", "method": "nowhere/do"}, {"id": "c", "method": "gone/x"}]}))
    error = run.tasks["sub"].error
    assert error.code == "document_invalid"
    assert [one["path"] for one in error.details["diagnostics"]] == ["tasks[0].method", "tasks[1].method"]
    assert await children(nesting, run) == []


async def test_a_refused_workflow_is_raised_again_with_its_diagnostics(nesting: Any) -> None:
    caught: list[DocumentError] = []

    async def caller(_: dict[str, Any]) -> Any:
        try:
            await current_task().call("workflow/run", {"workflow": {"tasks": [{"id": "b", "method": "nowhere/do"}]}})
        except DocumentError as error:
            caught.append(error)

    nesting.method(caller)
    await nesting.run([{"id": "a", "method": "test/caller", "calls": ["workflow/run"]}])
    assert [one.path for one in caught[0].diagnostics] == ["tasks[0].method"]


async def test_only_workflow_run_starts_workflows(nesting: Any) -> None:
    async def sneaky(_: dict[str, Any]) -> Any:
        inner = Workflow.model_validate({"tasks": [{"id": "b", "method": "test/echo"}]})
        return await current_task().support.start_workflow(inner, {})

    nesting.method(sneaky)
    run = await nesting.run([{"id": "a", "method": "test/sneaky", "calls": ["*"]}])
    assert run.tasks["a"].error.code == "forbidden"
    assert await children(nesting, run) == []


@pytest.mark.parametrize(
    ("parameters", "code"),
    [
        ({"name": "report"}, "workflow_not_found"),
        ({}, "parameters_invalid"),
        ({"workflow": {}, "name": "x"}, "parameters_invalid"),
    ],
)
async def test_a_workflow_that_is_not_given_is_refused(nesting: Any, parameters: Any, code: str) -> None:
    run = await nesting.run([{"id": "sub", "method": "workflow/run", "parameters": parameters}])
    assert run.tasks["sub"].error.code == code


async def test_a_workflow_whose_fate_is_unknown_is_not_begun_again_by_a_call(nesting: Any) -> None:
    async def broken(_: dict[str, Any]) -> Any:
        raise ConnectionResetError("gone")

    nesting.method(broken)
    calling(nesting, "workflow/run", {"workflow": {"tasks": [{"id": "b", "method": "test/broken"}]}})
    run = await nesting.run(caller("workflow/run", retry={"max_attempts": 3}))
    assert (run.status, run.tasks["a"].status) == ("waiting", "unknown")
    assert len(await children(nesting, run)) == 1


async def test_after_a_crash_a_workflow_that_code_runs_is_found_again(nesting: Any, tmp_path: Path) -> None:
    began: list[int] = []
    stopped = anyio.Event()

    async def step(parameters: dict[str, Any]) -> Any:
        began.append(parameters["n"])
        if parameters["n"] == 2 and not stopped.is_set():
            stopped.set()
            await anyio.sleep_forever()
        return parameters

    nesting.method(step)
    steps = [
        {
            "id": f"s{n}",
            "method": "test/step",
            "parameters": {"n": n},
            "retry_on_crash": n == 2,
            "dependencies": [f"s{n - 1}"] if n > 1 else [],
        }
        for n in (1, 2, 3)
    ]
    calling(nesting, "workflow/run", {"workflow": {"tasks": steps}})
    task = {"id": "a", "method": "test/caller", "calls": ["*"], "retry_on_crash": True}
    document = Workflow.model_validate({"tasks": [task]})
    with anyio.fail_after(10):
        async with LocalEngine(nesting.registry, SqliteStore(tmp_path / "one.db")) as engine:
            run = await engine.submit(Submission(document))
            await stopped.wait()
        async with LocalEngine(nesting.registry, store := SqliteStore(tmp_path / "one.db")) as engine:
            run = await engine.wait(run.id)
            page = await store.runs(parent_id=run.id)
    assert run.outputs == {"a": {"got": {"s3": {"n": 3}}}}
    assert (began, len(page.runs)) == ([1, 2, 2, 3], 1)


async def test_a_child_ends_with_its_task_however_little_time_that_had(bench: Any) -> None:
    """Also where it is over before the child is even recorded."""

    async def endless(_: dict[str, Any]) -> Any:
        await anyio.sleep_forever()

    bench.method(endless)
    register_workflows(bench.registry)
    inner = {"workflow": {"tasks": [{"id": "b", "method": "test/endless"}]}}
    for milliseconds in range(1, 30):
        task = {"id": "a", "method": "workflow/run", "parameters": inner, "timeout": milliseconds / 2_000}
        run = await bench.run([task])
        with anyio.fail_after(5):
            for child in await children(bench, run):
                assert (await bench.engine.wait(child.id)).status == "cancelled"
