"""The same client against a server of its own over stdio, and against a running one over HTTP."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.ways import some

from gleitzeit import GleitzeitClient
from gleitzeit.core.errors import (
    DocumentError,
    LimitError,
    ProviderError,
    ProviderUnavailableError,
    RunNotFoundError,
    ValidationError,
)

pytestmark = pytest.mark.anyio

MODULE = """
import asyncio
from gleitzeit.core.errors import ProviderError
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.providers.base import ProtocolProvider, current_task
from gleitzeit.registry import ProtocolProviderRegistry

class Text(ProtocolProvider):
    async def handle_request(self, method, parameters):
        if method == "text/fail":
            raise ProviderError("it broke", hint="mend it")
        if method == "text/hang":
            await asyncio.Event().wait()
        if method == "text/long":
            return {"text": "x" * parameters["length"]}
        await current_task().report_progress(1, 2, "half")
        return {"text": parameters["text"].upper()}

class Model(ProtocolProvider):
    async def handle_request(self, method, parameters):
        return {"response": parameters["messages"][0]["content"]}

TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
UPPER = MethodSpec("text/upper", "Make text upper case", TEXT, capabilities=("streaming",))
methods = [UPPER, "text/fail", "text/hang", "text/long"]
registry = ProtocolProviderRegistry.get_instance()
registry.register_protocol(Protocol("text/v1", methods=methods))
registry.register_provider("text/v1", Text("text", "text/v1"))
registry.register_provider("small/v1", Model("small", "small/v1"))
registry.register_method_handler("llm/chat", registry.provider("small"))
"""

TASK: dict[str, Any] = {"id": "a", "method": "text/upper", "parameters": {"text": "hi"}}


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose servers have a provider of its own."""
    folder = tmp_path_factory.mktemp("home")
    (folder / "text_module.py").write_text(MODULE)
    (folder / "config.yaml").write_text(
        "providers: {modules: [text_module], path: [.]}\nlimits: {result_tokens: 500}\n"
    )
    return folder


@pytest.fixture(scope="session")
def url(home: Path) -> Iterator[str]:
    """A running `gleitzeit serve`."""
    command = [sys.executable, "-m", "gleitzeit", "serve", "--port", "0"]
    environment = {**os.environ, "GLEITZEIT_HOME": str(home)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = next((match for line in process.stderr if (match := re.search(r"http://127.0.0.1:\d+", line))), None)
        assert found is not None, "the server did not say where it listens"
        yield f"{found.group()}/mcp"
        process.terminate()
        process.stderr.read()


@pytest.fixture(params=some(["http"], ["stdio", "http"]))  # a server over stdio is a process for each test
def client(request: pytest.FixtureRequest, home: Path) -> GleitzeitClient:
    if request.param == "stdio":
        command = ["env", f"GLEITZEIT_HOME={home}", sys.executable, "-m", "gleitzeit", "mcp"]
        return GleitzeitClient(mode="mcp", command=command)
    return GleitzeitClient(mode="mcp", url=request.getfixturevalue("url"))


BOTH_WAYS = pytest.mark.parametrize("client", ["stdio", "http"], indirect=True)


@BOTH_WAYS
async def test_the_same_client_works_against_a_server(client: GleitzeitClient) -> None:
    with anyio.fail_after(30):
        async with client:
            result = await client.execute_task(TASK)
            assert (result.status, result["text"], result.attempts) == ("completed", "HI", 1)
            told: list[str] = []
            workflow = {"name": "Two", "tasks": [TASK, {**TASK, "id": "b", "parameters": {"text": "${a.text}"}}]}
            run = await client.run_workflow(workflow, on_event=lambda event: told.append(event.kind))
            assert (run.status, run.name, run.outputs) == ("completed", "Two", {"b": {"text": "HI"}})
            assert {name: task.result for name, task in run.tasks.items()} == {"a": {"text": "HI"}, "b": {"text": "HI"}}
            assert (told[0], told[-1]) == ("run.submitted", "run.completed")
            assert "task.progress" in told
            listed = await client.list_runs()
            assert listed.runs[0].id == run.id
            assert listed.runs[0].created_at > 0
            again = await client.get_run(run.id)
            assert again.outputs == run.outputs
            assert again.created_at == pytest.approx(listed.runs[0].created_at, abs=0.01)
            assert again.finished_at is not None
            assert again.tasks["b"].finished_at == pytest.approx(again.finished_at, abs=1)
            assert [task.task_id for task in again.tasks.values()] == ["a", "b"]
            methods = {spec.name: spec for spec in await client.methods()}
            assert methods["text/upper"].parameters["required"] == ["text"]
            assert methods["text/upper"].capabilities == ("streaming",)
            assert await client.chat("Hello ${x}", "any") == "Hello ${x}"


async def test_runs_are_resumed_and_workflows_saved_on_a_server(client: GleitzeitClient) -> None:
    broken = {"tasks": [TASK, {"id": "b", "method": "text/fail", "parameters": {"text": "${a.text}"}}]}
    with anyio.fail_after(30):
        async with client:
            failed = await client.run_workflow(broken)
            resumed = await client.resume_run(failed.id, changes={"b": {"method": "text/upper"}})
            told = [event.kind async for event in client.events(resumed.id)]
            run = await client.get_run(resumed.id)
            assert (run.status, run.resumed_from, run.outputs) == ("completed", failed.id, {"b": {"text": "HI"}})
            assert run.tasks["a"].metadata == {"kept_from": failed.id}
            assert told.count("task.started") == 1
            assert await client.save_workflow({"name": "shout", "tasks": [TASK]}) == 1
            assert await client.saved_workflows() == ["shout"]
            first = await client.submit_workflow(name="shout", idempotency_key="k")
            assert (await client.submit_workflow(name="shout", idempotency_key="k")).id == first.id
            await client.delete_workflow("shout")
            assert await client.saved_workflows() == []


async def test_a_run_that_waits_for_a_decision_is_returned_waiting(client: GleitzeitClient) -> None:
    workflow = {"tasks": [{"id": "a", "method": "text/hang", "timeout": 0.1}]}
    with anyio.fail_after(20):
        async with client:
            run = await client.run_workflow(workflow)
            assert run.status == "waiting"
            assert [event.kind async for event in client.events(run.id)][-1] == "task.unknown"
            resumed = await client.resume_run(run.id, unknown={"a": "completed"})
            assert [event.kind async for event in client.events(resumed.id)][-1] == "run.completed"


async def test_results_and_inputs_are_what_they_were_or_an_error(client: GleitzeitClient) -> None:
    long = {"id": "a", "method": "text/long", "parameters": {"length": "${inputs.length}"}}
    workflow = {"inputs": {"length": "integer"}, "tasks": [long], "outputs": {"a": "another value"}}
    with anyio.fail_after(30):
        async with client:
            run = await client.run_workflow(workflow, {"length": 700})
            assert run.tasks["a"].result == {"text": "x" * 700}
            assert (run.inputs, run.outputs) == ({"length": 700}, {"a": "another value"})
            with pytest.raises(LimitError, match="task a are too large"):
                await client.run_workflow(workflow, {"length": 3000})


async def test_a_server_is_reached_by_its_address_for_sse_too(url: str) -> None:
    with anyio.fail_after(30):
        async with GleitzeitClient(mode="mcp", url=url.removesuffix("/mcp") + "/sse") as client:
            assert (await client.execute_task(TASK))["text"] == "HI"


async def test_failures_are_the_same_against_a_server(client: GleitzeitClient) -> None:
    with anyio.fail_after(30):
        async with client:
            result = await client.execute_task(method="text/fail")
            assert (result.status, result.error and result.error.message) == ("failed", "it broke")
            run = await client.run_workflow({"tasks": [{"id": "a", "method": "text/fail"}]})
            assert run.status == "failed"
            with pytest.raises(DocumentError, match="text/upper") as caught:
                await client.run_workflow("tasks:\n  - {id: a, method: text/uper}\n")
            assert caught.value.diagnostics[0].line == 2
            validation = await client.validate("tasks: [{id: a, method: text/uper}]")
            assert (validation.valid, validation.diagnostics[0].line) == (False, 1)
            assert (await client.validate({"tasks": [TASK]})).waves == (("a",),)
            with pytest.raises(ValidationError):
                await client.run_workflow({"inputs": {"word": "string"}, "tasks": [TASK]})
            with pytest.raises(RunNotFoundError):
                await client.get_run("nowhere")
            with pytest.raises(RunNotFoundError):
                await client.resume_run("r1")
            run = await client.submit_workflow({"tasks": [{"id": "a", "method": "text/hang"}]})
            assert (await client.cancel_run(run.id, "enough")).status == "cancelled"
            with pytest.raises(LimitError, match="too large"):
                await client.execute_task(method="text/long", parameters={"length": 9000})


async def test_where_no_server_answers_the_error_says_how_to_start_one() -> None:
    with anyio.fail_after(30):
        for url, command in (("http://127.0.0.1:9/mcp", None), (None, ["no-such-command"])):
            with pytest.raises(ProviderUnavailableError, match="no Gleitzeit server answers at") as caught:
                await GleitzeitClient(mode="mcp", url=url, command=command).__aenter__()
            assert "gleitzeit serve" in (caught.value.hint or "")


async def test_another_kind_of_server_is_found_out() -> None:
    with anyio.fail_after(30):
        async with GleitzeitClient(mode="mcp", command=[sys.executable, "-m", "mcp_server_time"]) as client:
            with pytest.raises(ProviderError, match=r"Unknown tool|answered without data"):
                await client.execute_task(TASK)


@BOTH_WAYS
async def test_errors_of_the_program_come_out_as_they_are(client: GleitzeitClient) -> None:
    async def break_down() -> None:
        async with client:
            raise ZeroDivisionError

    with anyio.fail_after(30), pytest.raises(ZeroDivisionError):
        await break_down()
