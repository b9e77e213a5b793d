"""Runs on the local engine: order, limits, skipping, outputs."""

from __future__ import annotations

import copy
import json
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from gleitzeit.core.errors import ConflictError, ProviderError, RunNotFoundError
from gleitzeit.core.models import Workflow
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio


def echo(task_id: str, **fields: Any) -> dict[str, Any]:
    return {"id": task_id, "method": "test/echo", **fields}


def states(run: Any) -> dict[str, str]:
    return {task_id: task.status for task_id, task in run.tasks.items()}


async def test_results_flow_along_references(bench: Any) -> None:
    run = await bench.run(
        [
            echo("left", parameters={"n": "${inputs.n}"}),
            echo("right", parameters={"text": "n is ${inputs.n}"}),
            echo("end", parameters={"all": ["${left.n}", "${right.text}"], "sum": "${left.n + 1}", "run": "${run.id}"}),
        ],
        {"n": 4},
    )
    assert run.status == "completed"
    assert run.outputs == {"end": {"all": [4, "n is 4"], "sum": 5, "run": run.id}}


async def test_a_diamond_runs_its_middle_at_once_and_its_end_once(bench: Any) -> None:
    begun: list[str] = []
    both = anyio.Event()

    async def middle(parameters: dict[str, Any]) -> Any:
        begun.append(parameters["name"])
        if len(begun) == 2:
            both.set()
        await both.wait()

    bench.method(middle)
    run = await bench.run(
        [
            echo("top"),
            {"id": "l", "method": "test/middle", "parameters": {"name": "l"}, "dependencies": ["top"]},
            {"id": "r", "method": "test/middle", "parameters": {"name": "r"}, "dependencies": ["top"]},
            echo("end", dependencies=["l", "r"]),
        ]
    )
    assert run.status == "completed"
    assert [event.kind for event in await bench.events(run.id) if event.task_id == "end"] == [
        "task.started",
        "task.completed",
    ]


class Gauge:
    """Counts how many calls run at once."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0

    async def gauge(self, parameters: dict[str, Any]) -> Any:
        self.now += 1
        self.most = max(self.most, self.now)
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        self.now -= 1


async def test_no_more_tasks_run_at_once_than_the_document_says(bench: Any) -> None:
    gauge = Gauge()
    bench.provider.functions["gauge"] = gauge.gauge
    tasks = [{"id": f"t{n}", "method": "test/gauge"} for n in range(20)]
    run = await bench.run({"tasks": tasks, "settings": {"max_parallel_tasks": 3}})
    assert run.status == "completed"
    assert gauge.most == 3


async def test_no_more_tasks_of_all_runs_run_at_once_than_the_engine_may(bench: Any) -> None:
    gauge = Gauge()
    bench.provider.functions["gauge"] = gauge.gauge
    async with LocalEngine(bench.registry, max_parallel_tasks=2) as engine:
        tasks = [{"id": f"t{n}", "method": "test/gauge"} for n in range(5)]
        runs = [await engine.submit(submission(tasks)) for _ in range(3)]
        ended = [await engine.wait(run.id, 5) for run in runs]
    assert [run.status for run in ended] == ["completed"] * 3
    assert gauge.most == 2


def submission(tasks: Any) -> Submission:
    return Submission(Workflow.model_validate({"tasks": tasks}))


async def test_a_hundred_runs_at_once_keep_their_results_apart(bench: Any) -> None:
    tasks = [echo("a", parameters={"n": "${inputs.n}"}), echo("b", parameters={"n": "${a.n}"})]
    accepted = [await bench.submit(tasks, {"n": n}) for n in range(100)]
    with anyio.fail_after(10):
        runs = [await bench.engine.wait(run.id) for run in accepted]
    assert [run.outputs["b"]["n"] for run in runs] == list(range(100))
    page = await bench.engine.list(limit=3)
    assert [summary.id for summary in page.runs] == [run.id for run in accepted[:-4:-1]]


async def failing(parameters: dict[str, Any]) -> Any:
    raise ProviderError("no luck", hint="try later")


async def test_what_needs_a_failed_task_is_skipped_the_rest_runs_and_the_run_is_failed(bench: Any) -> None:
    bench.method(failing)
    run = await bench.run([{"id": "a", "method": "test/failing"}, echo("b", dependencies=["a"]), echo("other")])
    assert states(run) == {"a": "failed", "b": "skipped", "other": "completed"}
    assert (run.status, run.outputs) == ("failed", {})
    assert str(run.error) == 'task "a" failed: no luck (try later)'
    assert run.error.code == "provider_failed"


async def test_a_clean_up_runs_whatever_became_of_its_dependencies(bench: Any) -> None:
    bench.method(failing)
    clean = echo("clean", dependencies=["b"], trigger_rule="all_done", parameters={"got": "${a}"})
    run = await bench.run([{"id": "a", "method": "test/failing"}, echo("b", dependencies=["a"]), clean])
    assert states(run) == {"a": "failed", "b": "skipped", "clean": "completed"}
    assert run.status == "failed"
    assert run.tasks["clean"].result == {"got": None}


async def test_a_failure_that_may_be_is_null_for_what_needs_it(bench: Any) -> None:
    bench.method(failing)
    run = await bench.run(
        [{"id": "a", "method": "test/failing", "on_error": "continue"}, echo("b", parameters={"got": "${a}"})]
    )
    assert (run.status, run.outputs) == ("completed", {"b": {"got": None}})


async def test_only_the_wanted_branch_runs_and_branches_join(bench: Any) -> None:
    run = await bench.run(
        [
            echo("deep", when='inputs.mode == "deep"'),
            echo("quick", when='inputs.mode == "quick"'),
            echo("join", parameters={"deep": "${deep}", "quick": "${quick}"}, dependencies=["deep", "quick"]),
        ],
        {"mode": "quick"},
    )
    assert states(run) == {"deep": "skipped", "quick": "completed", "join": "completed"}
    assert run.outputs == {"join": {"deep": None, "quick": {}}}


async def test_a_condition_that_is_no_truth_value_fails_its_task(bench: Any) -> None:
    run = await bench.run([echo("a", when="inputs.n")], {"n": 3})
    assert (run.tasks["a"].status, run.tasks["a"].error.code) == ("failed", "expression_failed")


async def test_a_field_that_is_not_there_fails_the_task_that_refers_to_it(bench: Any) -> None:
    run = await bench.run([echo("a", parameters={"x": 1}), echo("b", parameters={"y": "${a.missing}"})])
    assert run.tasks["b"].error.code == "reference_unresolved"
    assert "missing" in run.tasks["b"].error.message


async def test_declared_outputs_are_resolved_at_the_end(bench: Any) -> None:
    document = {
        "tasks": [echo("a", parameters={"n": 1}), echo("b", parameters={"n": "${a.n}"})],
        "outputs": {"first": "${a.n}", "text": "a ${a.n}"},
    }
    assert (await bench.run(document)).outputs == {"first": 1, "text": "a 1"}


async def test_an_output_that_is_not_there_fails_the_run(bench: Any) -> None:
    run = await bench.run({"tasks": [echo("a")], "outputs": {"x": "${a.missing}"}})
    assert (run.status, run.error.code, run.outputs) == ("failed", "reference_unresolved", {})


async def test_an_output_of_a_skipped_task_is_null(bench: Any) -> None:
    run = await bench.run({"tasks": [echo("a", when=False)], "outputs": {"x": "${a}"}})
    assert (run.status, run.outputs) == ("completed", {"x": None})


async def test_wait_returns_the_run_as_it_stands_once_its_time_is_up(bench: Any) -> None:
    release = anyio.Event()

    async def blocked(parameters: dict[str, Any]) -> Any:
        await release.wait()

    bench.method(blocked)
    accepted = await bench.submit([{"id": "a", "method": "test/blocked"}])
    assert (accepted.status, accepted.tasks["a"].status) == ("running", "running")
    await anyio.wait_all_tasks_blocked()
    run = await bench.engine.wait(accepted.id, 0)
    assert (run.status, run.tasks["a"].status) == ("running", "running")
    release.set()
    assert (await bench.engine.wait(accepted.id, 5)).status == "completed"


async def test_a_callers_runs_are_not_seen_by_another(bench: Any) -> None:
    run = await bench.run([echo("a")], caller="me")
    assert (await bench.engine.get(run.id, caller="me")).id == run.id
    assert (await bench.engine.list(caller="them")).runs == []
    for request in (bench.engine.get, bench.engine.wait, bench.engine.cancel, bench.engine.document):
        with pytest.raises(RunNotFoundError, match=run.id):
            await request(run.id, caller="them")
    with pytest.raises(RunNotFoundError):
        [event async for event in bench.engine.events(run.id, caller="them")]


async def test_the_document_of_a_run_can_be_read_again(bench: Any) -> None:
    run = await bench.run({"name": "again", "tasks": [echo("a")]})
    assert (await bench.engine.document(run.id)).name == "again"


async def test_tasks_that_wait_for_each_other_fail_the_run_and_the_engine_goes_on(bench: Any) -> None:
    run = await bench.run([echo("a", dependencies=["b"]), echo("b", dependencies=["a"])])
    assert (run.status, run.error.code) == ("failed", "document_invalid")
    assert (await bench.run([echo("a")])).status == "completed"


async def test_an_unknown_method_fails_its_task(bench: Any) -> None:
    run = await bench.run([{"id": "a", "method": "nowhere/do"}])
    assert run.tasks["a"].error.code == "method_not_found"


async def test_a_stopped_engine_accepts_no_run() -> None:
    engine = LocalEngine(ProtocolProviderRegistry())
    with pytest.raises(ConflictError, match="not running"):
        await engine.submit(submission([echo("a")]))


async def test_a_run_that_is_not_over_can_be_copied_and_written_as_json(bench: Any) -> None:
    async def wait(_parameters: dict[str, Any]) -> Any:
        await anyio.sleep_forever()

    bench.method(wait)
    run = await bench.submit([{"id": "a", "method": "test/wait"}])
    assert json.dumps(run.outputs) == json.dumps(run.tasks["a"].metadata) == "{}"
    assert copy.deepcopy(run.outputs) == {}
