from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client

from gleitzeit.mcp_server.manifest.tools import TOOLS

Connect = Callable[[], AbstractAsyncContextManager[Client]]

pytestmark = pytest.mark.anyio

CHAIN = """
tasks:
  - {id: a, method: probe/echo, parameters: {text: tide}}
  - {id: b, method: probe/echo, parameters: {text: "${a.text}!", times: 2}}
"""


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


def data_of(result: types.CallToolResult) -> dict[str, Any]:
    data: dict[str, Any] = result.structured_content
    assert isinstance(data, dict)
    return data


async def test_all_tools_are_listed_with_everything_a_host_needs(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == list(TOOLS)
    for tool in tools:
        assert tool.title
        assert tool.output_schema
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint is not None
        assert tool.input_schema["additionalProperties"] is False


async def test_a_chain_of_methods_is_submitted_and_inspected(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            submitted = await client.call_tool("submit_workflow", {"workflow": CHAIN})
            run_id = data_of(submitted)["run_id"]
            inspected = await client.call_tool("inspect_run", {"run_id": run_id, "detail": "tasks"})
            listed = await client.call_tool("list_runs", {"status": "completed"})
            events = await client.call_tool("inspect_run", {"run_id": run_id, "detail": "events"})
            document = await client.call_tool("inspect_run", {"run_id": run_id, "detail": "document"})
    assert not submitted.is_error, text_of(submitted)
    assert data_of(submitted) == {"run_id": run_id, "status": "completed", "outputs": {"b": {"text": "tide!tide!"}}}
    assert 'Outputs: {"b":{"text":"tide!tide!"}}' in text_of(submitted)
    assert [task["task_id"] for task in data_of(inspected)["tasks"]] == ["a", "b"]
    assert [run["run_id"] for run in data_of(listed)["runs"]] == [run_id]
    kinds = [event["kind"] for event in data_of(events)["events"]]
    assert kinds[0] == "run.submitted"
    assert kinds[-1] == "run.completed"
    assert [task["id"] for task in data_of(document)["document"]["tasks"]] == ["a", "b"]


async def test_one_method_is_queried_and_called(connect: Connect) -> None:
    arguments = {"method": "probe/echo", "parameters": {"text": "${not.a.reference}"}}
    with anyio.fail_after(15):
        async with connect() as client:
            queried = await client.call_tool("query_method", arguments)
            called = await client.call_tool("call_method", arguments)
            refused = await client.call_tool("query_method", {"method": "probe/write", "parameters": {"text": "x"}})
    assert data_of(queried)["outputs"] == data_of(called)["outputs"] == {"text": "${not.a.reference}"}
    assert refused.is_error
    assert "call_method" in text_of(refused)


async def test_a_run_that_takes_longer_is_waited_for_and_cancelled(connect: Connect, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    workflow = {"tasks": [{"id": "long", "method": "probe/sleep", "parameters": {"mark": str(mark)}}]}
    with anyio.fail_after(15):
        async with connect() as client:
            submitted = await client.call_tool("submit_workflow", {"workflow": workflow, "wait_seconds": 0.2})
            run_id = data_of(submitted)["run_id"]
            waited = await client.call_tool("inspect_run", {"run_id": run_id, "wait_seconds": 0.1})
            cancelled = await client.call_tool("cancel_run", {"run_id": run_id, "reason": "enough"})
    assert data_of(submitted)["status"] == "running"
    assert "inspect_run" in data_of(submitted)["next"]
    assert data_of(waited)["status"] == "running"
    assert data_of(cancelled)["status"] == "cancelled"
    assert not cancelled.is_error
    assert mark.read_text() == "stopped"


async def test_progress_grows_with_every_event(connect: Connect, transport: str, mode: str) -> None:
    if (transport, mode) == ("memory", "auto"):
        pytest.skip("a modern client in the same process sends no request, so no token that asks for progress")
    told: list[tuple[float, float | None, str | None]] = []

    async def hear(progress: float, total: float | None, message: str | None) -> None:
        told.append((progress, total, message))

    steps = """
tasks:
  - {id: first, method: probe/steps, parameters: {count: 3}}
  - {id: second, method: probe/echo, parameters: {text: "all ${first.steps}"}}
"""
    with anyio.fail_after(15):
        async with connect() as client:
            result = await client.call_tool("submit_workflow", {"workflow": steps}, progress_callback=hear)
    assert not result.is_error, text_of(result)
    values = [progress for progress, _, _ in told]
    assert values == sorted(set(values))
    assert values[-1] == 2
    assert {total for _, total, _ in told} == {2}
    assert "first: step 3 3/3" in [message for _, _, message in told]


async def test_a_plan_is_shown_without_running_it(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            checked = await client.call_tool("validate_workflow", {"workflow": CHAIN})
            runs = await client.call_tool("list_runs", {})
    data = data_of(checked)
    assert data["valid"] is True
    assert data["plan"] == [
        [{"task_id": "a", "method": "probe/echo", "provider": "probe"}],
        [{"task_id": "b", "method": "probe/echo", "provider": "probe"}],
    ]
    assert "graph" in data["mermaid"] or "flowchart" in data["mermaid"]
    assert data_of(runs)["runs"] == []


async def test_methods_are_found_by_what_they_do(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            found = await client.call_tool("search_methods", {"query": "echo", "detail": "schema"})
            overview = await client.call_tool("search_methods", {})
    first = data_of(found)["methods"][0]
    assert first["method"] == "probe/echo"
    assert first["read_only"] is True
    assert first["capabilities"] == ["batch"]
    assert "probe/echo (read-only, batch): Give back a text." in text_of(found)
    assert first["parameters"]["required"] == ["text"]
    states = {provider["provider"]: provider for provider in data_of(overview)["providers"]}
    assert states["probe"]["methods"] == len(PROBE_METHODS)
    assert data_of(overview)["servers"] == []


PROBE_METHODS = ("echo", "write", "items", "steps", "sleep", "hang", "fail", "crash", "print", "big", "odd", "ask")


async def test_a_method_that_fails_says_so_in_its_own_words(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            called = await client.call_tool(
                "call_method", {"method": "probe/fail", "parameters": {"message": "the tide is out"}}
            )
            workflow = {"tasks": [{"id": "x", "method": "probe/fail", "parameters": {"message": "the tide is out"}}]}
            submitted = await client.call_tool("submit_workflow", {"workflow": workflow})
    assert called.is_error
    assert "the tide is out" in text_of(called)
    assert "try something else" in text_of(called)
    assert submitted.is_error
    assert data_of(submitted)["status"] == "failed"
    assert data_of(submitted)["failed"][0]["task_id"] == "x"


async def test_a_large_result_is_shown_in_part_with_its_size_and_a_link_to_the_whole(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            called = await client.call_tool("call_method", {"method": "probe/big", "parameters": {"size": 100_000}})
            link = next(block for block in called.content if isinstance(block, types.ResourceLink))
            whole = (await client.read_resource(link.uri)).contents[0]
    data = data_of(called)
    assert "outputs" not in data
    assert data["preview"]["text"].endswith("… (100000 characters)")
    assert "100011 bytes" in text_of(called)
    assert len(text_of(called)) < 4_000
    assert f'read_result with {{"run_id":"{data["run_id"]}","task_id":"call","path":"text"}}' in data["next"]
    assert (called.meta or {})["gleitzeit/size"] == link.size == 100_011
    assert isinstance(whole, types.TextResourceContents)
    assert json.loads(whole.text)["result"] == {"text": "x" * 100_000}


async def test_what_json_cannot_say_does_not_break_the_wire(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            called = await client.call_tool("call_method", {"method": "probe/odd"})
            after = await client.call_tool("query_method", {"method": "probe/echo", "parameters": {"text": "still"}})
    assert called.content
    assert data_of(after)["outputs"] == {"text": "still"}
