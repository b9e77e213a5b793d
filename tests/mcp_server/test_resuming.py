"""A model comes back to its runs: resumes them, decides what nobody saw, finds them after a restart."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client

from gleitzeit.application import Application, open_application
from gleitzeit.config import load_configuration
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.server import build_server
from gleitzeit.providers.base import ProtocolProvider
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = pytest.mark.anyio


class Idle(ProtocolProvider):
    """Serves everything, and is never asked."""

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        raise AssertionError(method)


Factory = Callable[[], AbstractAsyncContextManager[Application]]
Data = dict[str, Any]

BROKEN = """
name: tides
tasks:
  - {id: a, method: probe/echo, parameters: {text: tide}}
  - {id: b, method: probe/fail, parameters: {message: "${a.text}"}}
"""


@asynccontextmanager
async def client_of(factory: Factory) -> AsyncGenerator[Client]:
    with anyio.fail_after(10):
        async with open_face(factory) as face, Client(build_server(face), cache=None) as client:
            yield client


async def asked(client: Client, tool: str, **arguments: Any) -> types.CallToolResult:
    return await client.call_tool(tool, arguments)


async def data_of(client: Client, tool: str, **arguments: Any) -> Data:
    data: Data = (await asked(client, tool, **arguments)).structured_content
    return data


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


async def test_a_failed_run_is_mended_and_goes_on(factory: Factory) -> None:
    async with client_of(factory) as client:
        failed = await data_of(client, "submit_workflow", workflow=BROKEN)
        assert f'resume_run with {{"run_id":"{failed["run_id"]}"}}' in failed["next"]
        changes = {"b": {"method": "probe/echo", "parameters": {"message": None, "text": "${a.text}!"}}}
        resumed = await data_of(client, "resume_run", run_id=failed["run_id"], changes=changes)
        assert resumed["outputs"] == {"b": {"text": "tide!"}}
        assert resumed["resumed_from"] == failed["run_id"]
        tasks = (await data_of(client, "inspect_run", run_id=resumed["run_id"], detail="tasks"))["tasks"]
        assert {task["task_id"]: task.get("kept_from") for task in tasks} == {"a": failed["run_id"], "b": None}
        whole = (await data_of(client, "inspect_run", run_id=resumed["run_id"], detail="results"))["tasks"]
        assert whole[0]["metadata"]["kept_from"] == failed["run_id"]
        refused = await asked(client, "resume_run", run_id=resumed["run_id"])
        assert refused.is_error
        assert "from_task" in text_of(refused)


async def test_an_unknown_task_is_explained_and_decided(factory: Factory) -> None:
    document = (
        "tasks: [{id: send, method: probe/hang, timeout: 0.1}, {id: after, method: probe/write, dependencies: [send]}]"
    )
    async with client_of(factory) as client:
        waiting = await asked(client, "submit_workflow", workflow=document)
        told: Any = waiting.structured_content
        assert told["status"] == "waiting"
        assert "nobody saw how it ended" in text_of(waiting)
        assert '"unknown":{"send":"..."}' in told["next"]
        undecided = await asked(client, "resume_run", run_id=told["run_id"])
        assert undecided.is_error
        assert "rerun, skip, completed or failed" in text_of(undecided)
        decided = await data_of(client, "resume_run", run_id=told["run_id"], unknown={"send": "completed"})
        assert decided["outputs"] == {"after": {"written": True}}
        closed = await data_of(client, "inspect_run", run_id=told["run_id"])
        assert closed["status"] == "cancelled"


async def test_an_item_of_unknown_end_is_named_and_decided_by_its_key(factory: Factory) -> None:
    document = "tasks: [{id: send, foreach: [1, 2], method: probe/hang, timeout: 0.1}]"
    async with client_of(factory) as client:
        waiting = await data_of(client, "submit_workflow", workflow=document)
        assert '"unknown":{"send[0]":"...","send[1]":"..."}' in waiting["next"]
        unknown = {"send[0]": "completed", "send[1]": "skip"}
        decided = await data_of(client, "resume_run", run_id=waiting["run_id"], unknown=unknown)
        assert decided["outputs"] == {"send": [{}, None]}


async def test_a_cancelled_run_says_that_resuming_may_ask(factory: Factory) -> None:
    async with client_of(factory) as client:
        document = "tasks: [{id: send, method: probe/hang}]"
        run_id = (await data_of(client, "submit_workflow", workflow=document, wait_seconds=0.2))["run_id"]
        cancelled = await data_of(client, "cancel_run", run_id=run_id)
        assert cancelled["next"].endswith("it may ask what became of what was running: send")
        asked = await asked_of(client, run_id)
        assert '"send"' in asked


async def asked_of(client: Client, run_id: str) -> str:
    """What resuming a run without any decision is refused with."""
    refused = await asked(client, "resume_run", run_id=run_id)
    assert refused.is_error
    return text_of(refused)


async def test_a_faulty_document_is_answered_in_the_words_of_the_tool(factory: Factory) -> None:
    faulty = "name: x\ntasks: [{id: a, method: probe/ehco}]"
    async with client_of(factory) as client:
        saved = text_of(await asked(client, "save_workflow", workflow=faulty))
        assert "The workflow was not saved" in saved
        assert "save it again" in saved
        failed = await data_of(client, "submit_workflow", workflow=BROKEN)
        refused = await asked(client, "resume_run", run_id=failed["run_id"], changes={"b": {"method": "probe/ehco"}})
        assert "The run was not resumed" in text_of(refused)
        assert "submit it again" not in text_of(refused)


async def test_a_wait_that_is_too_long_is_answered_with_the_longest(factory: Factory) -> None:
    async with client_of(factory) as client:
        refused = await asked(client, "inspect_run", run_id="x", wait_seconds=100)
        assert "wait_seconds: 45" in text_of(refused)


async def test_a_saved_workflow_is_run_checked_and_shown_by_its_name(factory: Factory) -> None:
    document = {
        "name": "tides",
        "inputs": {"word": "string"},
        "tasks": [{"id": "a", "method": "probe/echo", "parameters": {"text": "${inputs.word}"}}],
    }
    async with client_of(factory) as client:
        saved = await asked(client, "save_workflow", workflow=document)
        assert saved.structured_content == {"name": "tides", "version": 1, "tool": "wf_tides"}
        assert 'submit_workflow with {"name":"tides","inputs":{"word":"..."}}' in text_of(saved)
        (listed,) = (await data_of(client, "list_workflows"))["workflows"]
        assert (listed["name"], listed["inputs"]) == ("tides", {"word": {"type": "string"}})
        shown = await data_of(client, "list_workflows", name="tides")
        assert shown["document"]["tasks"] == document["tasks"]
        assert (await data_of(client, "validate_workflow", name="tides"))["valid"]
        run = await data_of(client, "submit_workflow", name="tides", inputs={"word": "ebb"})
        assert run["outputs"] == {"a": {"text": "ebb"}}
        taken = await asked(client, "save_workflow", workflow={**document, "description": "x"})
        assert taken.is_error
        replaced = await data_of(client, "save_workflow", workflow={**document, "description": "x"}, overwrite=True)
        assert replaced["version"] == 2
        await data_of(client, "delete_workflow", name="tides")
        assert (await data_of(client, "list_workflows"))["workflows"] == []


async def test_the_same_key_gives_the_same_run(factory: Factory) -> None:
    document = "tasks: [{id: a, method: probe/write}]"
    async with client_of(factory) as client:
        first = await data_of(client, "submit_workflow", workflow=document, idempotency_key="k")
        again = await data_of(client, "submit_workflow", workflow=document, idempotency_key="k")
        assert again["run_id"] == first["run_id"]
        other = await asked(client, "submit_workflow", workflow=document.replace("id: a", "id: b"), idempotency_key="k")
        assert other.is_error
        assert "[conflict]" in text_of(other)
        assert "need another key" in text_of(other)


async def test_a_run_is_where_it_was_after_the_server_is_started_again(factory: Factory, home: Path) -> None:
    marks = [home / "first", home / "second"]
    document = f"""
tasks:
  - {{id: a, method: probe/echo, parameters: {{text: tide}}}}
  - {{id: b, method: probe/sleep, parameters: {{mark: "{marks[0]}"}}, dependencies: [a]}}
"""
    async with client_of(factory) as client:
        run_id = (await data_of(client, "submit_workflow", workflow=document, wait_seconds=0))["run_id"]
        await asked(client, "inspect_run", run_id=run_id, wait_seconds=0.3)
    async with client_of(factory) as client:
        found = (await data_of(client, "list_runs"))["runs"]
        assert [(run["run_id"], run["status"]) for run in found] == [(run_id, "running")]
        events: list[Data] = []
        while not any(event["kind"] == "run.recovered" for event in events):
            events = (await data_of(client, "inspect_run", run_id=run_id, detail="events"))["events"]
            await anyio.lowlevel.checkpoint()
        tasks = (await data_of(client, "inspect_run", run_id=run_id, detail="tasks"))["tasks"]
        assert {task["task_id"]: task["status"] for task in tasks} == {"a": "completed", "b": "running"}
        assert (await data_of(client, "cancel_run", run_id=run_id))["status"] == "cancelled"


async def test_a_run_that_no_process_carries_out_says_so(home: Path) -> None:
    registry = ProtocolProviderRegistry()
    registry.register_provider("probe/v1", Idle("probe", "probe/v1"))
    config = load_configuration(environ={"GLEITZEIT_HOME": str(home), "GLEITZEIT_PROVIDERS__MODULES": "[]"})

    def watching() -> AbstractAsyncContextManager[Application]:
        return open_application(config, registry=registry, recover=False)

    async with watching() as other:
        run = await other.record(await other.check("tasks: [{id: a, method: probe/write}]", {}))
    async with client_of(watching) as client:
        inspected = await asked(client, "inspect_run", run_id=run.id)
    assert "no process carries this run out right now" in text_of(inspected)
    assert "(probe/write)" in text_of(inspected)
