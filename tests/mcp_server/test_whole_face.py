"""The SDK's client uses all that there is, over every transport and in each of its modes."""

from __future__ import annotations

import json
from typing import Any, get_args

import anyio
import mcp_types as types
import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from tests.mcp_server.conftest import Connect, Transport
from tests.mcp_server.published.listeners import Heard, told
from tests.mcp_server.tasks.task_client import Tasks
from tests.ways import some

from gleitzeit.mcp_server.manifest.tools import TOOLS

pytestmark = pytest.mark.anyio

MODES = ("legacy", "auto", "2026-07-28")
FEW = [("memory", "2026-07-28"), ("pipes", "auto"), ("sse", "legacy"), ("http", "2026-07-28")]
EVERY = [(transport, mode) for transport in get_args(Transport) for mode in MODES]

GREETING = {
    "name": "greeting",
    "inputs": {"who": {"type": "string"}},
    "tasks": [{"id": "say", "method": "probe/echo", "parameters": {"text": "Hello, ${inputs.who}!"}}],
    "outputs": {"said": "${say.text}"},
}
AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
ASKING = {
    "tasks": [{"id": "ask", "method": "probe/ask", "parameters": {"message": "How old?", "schema": AGE}}],
    "outputs": {"age": "${ask.age}"},
}


@pytest.fixture(params=some(FEW, EVERY), ids="-".join)
def way(request: pytest.FixtureRequest) -> Any:
    """Each transport and each mode; all pairs of them where the environment asks for that."""
    return request.param


async def test_a_saved_workflow_is_a_tool_a_resource_and_a_run(connect: Connect, mode: str) -> None:
    heard = Heard()
    with anyio.fail_after(20):
        async with connect(message_handler=heard) as client:
            assert {tool.name for tool in (await client.list_tools()).tools} == set(TOOLS)
            async with told(client, heard, mode) as changed:
                await client.call_tool("save_workflow", {"name": "greeting", "workflow": GREETING})
                assert {await changed(), await changed()} == {"tools", "resources"}
            assert "wf_greeting" in {tool.name for tool in (await client.list_tools()).tools}
            run = data_of(await client.call_tool("wf_greeting", {"who": "world"}))
            listed = {resource.uri for resource in (await client.list_resources()).resources}
            kept = await text_at(client, "gleitzeit://workflows/greeting")
            told_of_run = json.loads(await text_at(client, f"gleitzeit://runs/{run['run_id']}"))
            part = await client.call_tool("read_result", {"run_id": run["run_id"], "task_id": "say", "path": "text"})
    assert run["outputs"] == {"said": "Hello, world!"}
    assert {"gleitzeit://workflows/greeting", f"gleitzeit://runs/{run['run_id']}"} <= listed
    assert "probe/echo" in kept
    assert told_of_run["status"] == "completed"
    assert data_of(part)["value"] == "Hello, world!"


async def test_prompts_are_listed_got_and_completed(connect: Connect) -> None:
    with anyio.fail_after(20):
        async with connect() as client:
            failing = {"tasks": [{"id": "a", "method": "probe/fail", "parameters": {"message": "out of paper"}}]}
            failed = data_of(await client.call_tool("submit_workflow", {"workflow": failing}))
            prompts = {prompt.name for prompt in (await client.list_prompts()).prompts}
            prompt = await client.get_prompt("debug_run", {"run_id": failed["run_id"]})
            reference = types.PromptReference(type="ref/prompt", name="debug_run")
            completed = await client.complete(reference, {"name": "run_id", "value": failed["run_id"][:2]})
            templates = (await client.list_resource_templates()).resource_templates
    assert prompts == {"write_workflow", "debug_run"}
    content = prompt.messages[0].content
    assert isinstance(content, types.TextContent)
    assert "out of paper" in content.text
    assert failed["run_id"] in completed.completion.values
    assert "gleitzeit://runs/{run_id}" in {template.uri_template for template in templates}


async def test_a_question_comes_as_the_client_can_take_it(connect: Connect, mode: str) -> None:
    pushed: list[types.ElicitRequestParams] = []

    async def ask(_: ClientRequestContext, params: types.ElicitRequestParams) -> types.ElicitResult:
        pushed.append(params)
        return types.ElicitResult(action="accept", content={"age": 7})

    tasks = Tasks(lambda requests: {key: {"action": "accept", "content": {"age": 7}} for key in requests})
    wait = 20 if mode == "legacy" else 0
    with anyio.fail_after(20):
        async with connect(elicitation_callback=ask, extensions=[tasks]) as client:
            result = await client.call_tool("submit_workflow", {"workflow": ASKING, "wait_seconds": wait})
    assert data_of(result)["outputs"] == {"age": 7}
    assert (len(pushed), len(tasks.created)) == ((1, 0) if mode == "legacy" else (0, 1))


def data_of(result: types.CallToolResult) -> dict[str, Any]:
    data: dict[str, Any] = result.structured_content
    assert isinstance(data, dict), result
    return data


async def text_at(client: Client, uri: str) -> str:
    contents = (await client.read_resource(uri)).contents[0]
    assert isinstance(contents, types.TextResourceContents)
    return contents.text
