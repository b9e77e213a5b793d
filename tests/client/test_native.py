"""A program runs tasks and workflows in its own process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit import GleitzeitClient, Task, Workflow
from gleitzeit.core.errors import (
    ConfigurationError,
    ConflictError,
    DocumentError,
    ProviderError,
    RunNotFoundError,
    ValidationError,
    WorkflowNotFoundError,
)
from gleitzeit.core.models import Event

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("text")]

TASK: dict[str, Any] = {"id": "a", "method": "text/upper", "parameters": {"text": "hi"}}
TEXT = json.dumps({"name": "Shout", "tasks": [TASK]})


@pytest.mark.parametrize(
    ("task", "fields"),
    [
        (TASK, {}),
        (Task.model_validate(TASK), {}),
        (None, TASK),
        ({"method": "text/upper"}, {"parameters": {"text": "hi"}}),
    ],
)
async def test_a_task_is_given_in_any_form(task: Any, fields: dict[str, Any]) -> None:
    async with GleitzeitClient(mode="native") as client:
        result = await client.execute_task(task, **fields)
    assert result.status == "completed"
    assert result["text"] == "HI"
    assert result.result == {"text": "HI"}
    assert result.task_id in ("a", "task")


async def test_a_task_that_fails_is_returned_with_its_error() -> None:
    async with GleitzeitClient() as client:
        result = await client.execute_task(method="text/fail")
    assert result.status == "failed"
    assert result.error is not None
    assert (result.error.message, result.error.hint) == ("it broke", "mend it")


async def test_a_task_that_cannot_be_run_is_an_error() -> None:
    async with GleitzeitClient() as client:
        with pytest.raises(DocumentError, match="text/upper"):
            await client.execute_task(method="text/uper")


@pytest.mark.parametrize("kind", ["text", "mapping", "workflow", "path", "path as text"])
async def test_a_workflow_is_given_in_any_form(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    (tmp_path / "flow.yaml").write_text(TEXT)
    monkeypatch.chdir(tmp_path)
    forms: dict[str, Any] = {
        "text": TEXT,
        "mapping": json.loads(TEXT),
        "workflow": Workflow.model_validate(json.loads(TEXT)),
        "path": tmp_path / "flow.yaml",
        "path as text": "flow.yaml",
    }
    async with GleitzeitClient() as client:
        run = await client.run_workflow(forms[kind])
    assert (run.name, run.status) == ("Shout", "completed")
    assert run.outputs == {"a": {"text": "HI"}}


async def test_a_workflow_in_yaml_takes_inputs() -> None:
    document = "inputs: {word: string}\ntasks:\n  - {id: a, method: text/upper, parameters: {text: '${inputs.word}'}}\n"
    async with GleitzeitClient() as client:
        assert (await client.run_workflow(document, {"word": "x"})).outputs == {"a": {"text": "X"}}
        with pytest.raises(ValidationError, match="word"):
            await client.run_workflow(document)


async def test_the_folder_of_a_workflow_is_a_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "data.txt").write_text("words")
    task = {"id": "a", "method": "text/read", "parameters": {"path": "data.txt"}}
    (folder / "flow.json").write_text(json.dumps({"tasks": [task]}))
    monkeypatch.chdir(tmp_path)
    async with GleitzeitClient() as client:
        run = await client.run_workflow("flows/flow.json")
        elsewhere = await client.run_workflow({"tasks": [task]})
    assert (run.name, run.outputs) == ("flow", {"a": {"text": "words"}})
    assert elsewhere.status == "failed"


async def test_a_missing_file_names_the_nearest(tmp_path: Path) -> None:
    (tmp_path / "report.yaml").write_text(TEXT)
    async with GleitzeitClient() as client:
        with pytest.raises(WorkflowNotFoundError) as caught:
            await client.run_workflow(tmp_path / "reprot.yaml")
    assert caught.value.hint == 'did you mean "report.yaml"?'


async def test_events_are_told_as_they_happen() -> None:
    told: list[str] = []
    awaited: list[int] = []

    async def later(event: Event) -> None:
        awaited.append(event.seq)

    async with GleitzeitClient() as client:
        run = await client.run_workflow(
            {"tasks": [{"id": "a", "method": "text/work"}]}, on_event=lambda e: told.append(e.kind)
        )
        assert "task.progress" in told
        assert told[-1] == "run.completed"
        await client.run_workflow(TEXT, on_event=later)
        assert awaited == list(range(1, len(awaited) + 1))
        assert [event.kind async for event in client.events(run.id)] == told


async def test_a_run_is_submitted_listed_and_cancelled(text: Any) -> None:
    with anyio.fail_after(5):
        async with GleitzeitClient() as client:
            run = await client.submit_workflow({"name": "Long", "tasks": [{"id": "a", "method": "text/hang"}]})
            await text.hanging.wait()
            assert (await client.get_run(run.id)).status == "running"
            assert [summary.id for summary in (await client.list_runs(status="running")).runs] == [run.id]
            assert (await client.cancel_run(run.id, "enough")).status == "cancelled"
            await text.stopped.wait()
            with pytest.raises(RunNotFoundError):
                await client.get_run("nowhere")


async def test_giving_up_cancels_the_run(text: Any) -> None:
    with anyio.fail_after(5):
        async with GleitzeitClient() as client:
            async with anyio.create_task_group() as group:
                group.start_soon(client.run_workflow, {"tasks": [{"id": "a", "method": "text/hang"}]})
                await text.hanging.wait()
                group.cancel_scope.cancel()
            assert [run.status for run in (await client.list_runs()).runs] == ["cancelled"]


async def test_leaving_stops_what_still_runs(text: Any) -> None:
    with anyio.fail_after(5):
        async with GleitzeitClient() as client:
            await client.submit_workflow({"tasks": [{"id": "a", "method": "text/hang"}]})
            await text.hanging.wait()
    assert text.stopped.is_set()


async def test_validating_runs_nothing() -> None:
    async with GleitzeitClient() as client:
        good = await client.validate(TEXT)
        bad = await client.validate("tasks: [{id: a, method: text/uper}]")
        assert (await client.list_runs()).runs == []
    assert (good.valid, good.waves) == (True, (("a",),))
    assert not bad.valid
    assert bad.diagnostics[0].line == 1


async def test_methods_are_listed() -> None:
    async with GleitzeitClient() as client:
        assert {"text/upper", "llm/chat", "workflow/run"} <= {spec.name for spec in await client.methods()}


@pytest.mark.usefixtures("model")
async def test_chatting_returns_the_text() -> None:
    async with GleitzeitClient() as client:
        answer = await client.chat("Hello ${x}", "tiny", system="Be brief", temperature=0)
        assert "'content': 'Hello ${x}'" in answer
        assert "'model': 'tiny'" in answer
        assert "'temperature': 0" in answer
        assert "Be brief" in answer
        with pytest.raises(ProviderError, match="no model is loaded"):
            await client.chat("fail", "tiny")


async def test_a_failed_run_goes_on_from_what_is_finished() -> None:
    document = {"tasks": [TASK, {"id": "b", "method": "text/fail", "parameters": {"text": "${a.text}"}}]}
    async with GleitzeitClient() as client:
        failed = await client.run_workflow(document)
        resumed = await client.resume_run(failed.id, changes={"b": {"method": "text/upper"}})
        events = [event async for event in client.events(resumed.id)]
        run = await client.get_run(resumed.id)
        assert (run.status, run.resumed_from) == ("completed", failed.id)
        assert {event.task_id for event in events if event.kind == "task.started"} == {"b"}
        assert run.tasks["a"].metadata["kept_from"] == failed.id
        with pytest.raises(ConflictError, match="nothing is left to do"):
            await client.resume_run(run.id)
        with pytest.raises(RunNotFoundError):
            await client.resume_run("r1")


async def test_what_a_client_has_run_is_there_for_the_next_one() -> None:
    async with GleitzeitClient() as client:
        run = await client.run_workflow({"tasks": [TASK]})
        first = await client.submit_workflow({"tasks": [TASK]}, idempotency_key="k")
    async with GleitzeitClient() as client:
        assert (await client.get_run(run.id)).outputs == run.outputs
        assert (await client.submit_workflow({"tasks": [TASK]}, idempotency_key="k")).id == first.id
        with pytest.raises(ConflictError):
            await client.submit_workflow({"tasks": [{**TASK, "id": "other"}]}, idempotency_key="k")


async def test_workflows_are_saved_and_run_by_their_name() -> None:
    document = {"name": "shout", "tasks": [TASK]}
    async with GleitzeitClient() as client:
        assert await client.save_workflow(document) == 1
        assert await client.save_workflow(document) == 1
        with pytest.raises(ConflictError):
            await client.save_workflow({**document, "description": "other"})
        assert await client.save_workflow({**document, "description": "other"}, overwrite=True) == 2
        assert await client.saved_workflows() == ["shout"]
        run = await client.submit_workflow(name="shout")
        assert run.name == "shout"
        await client.delete_workflow("shout")
        with pytest.raises(WorkflowNotFoundError):
            await client.submit_workflow(name="shout")
        with pytest.raises(ValidationError, match="either"):
            await client.submit_workflow()


async def test_errors_of_the_program_come_out_as_they_are() -> None:
    async def break_down() -> None:
        async with GleitzeitClient():
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await break_down()


async def test_clients_may_be_open_at_once() -> None:
    first, second = GleitzeitClient(), GleitzeitClient()
    async with first, second:
        for client in (first, second):
            assert (await client.execute_task(TASK)).status == "completed"
    async with GleitzeitClient() as again:
        assert (await again.execute_task(TASK)).status == "completed"


async def test_the_configuration_is_a_mapping_a_file_or_loaded(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("policy: {deny: ['text/*']}")
    for config in (file, str(file), {"policy.deny": ["text/*"]}, {"policy": {"deny": ["text/*"]}}):
        async with GleitzeitClient(config=config) as client:
            with pytest.raises(DocumentError, match="not allowed"):
                await client.execute_task(TASK)


@pytest.mark.parametrize(
    "arguments",
    [{"mode": "api"}, {"mode": "mcp"}, {"url": "http://x"}, {"mode": "mcp", "url": "x", "command": ["y"]}],
)
async def test_arguments_that_contradict_each_other(arguments: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        GleitzeitClient(**arguments)
    assert caught.value.hint


async def test_a_client_that_is_not_open_says_so() -> None:
    with pytest.raises(ConfigurationError, match="not open"):
        await GleitzeitClient().execute_task(TASK)
