"""What belongs to one caller is seen and steered by that one, and by whoever may do everything."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Literal

import anyio
import httpx2
import mcp_types as types
import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from tests.ways import some

Guarding = Callable[..., AbstractAsyncContextManager[Any]]
Mode = Literal["auto", "legacy"]

pytestmark = pytest.mark.anyio

ECHO = {"id": "a", "method": "probe/echo", "parameters": {"text": "${inputs.text}"}}
WORKFLOW = {"name": "mine", "inputs": {"text": {"type": "string", "default": "x"}}, "tasks": [ECHO]}
FAILS = {"name": "fails", "tasks": [{"id": "a", "method": "probe/fail"}]}
ASKS = {"name": "asks", "tasks": [{"id": "a", "method": "probe/ask", "parameters": {"message": "Well?"}}]}
HANGS = {"name": "hangs", "tasks": [{"id": "a", "method": "probe/sleep"}]}
COUNTED = {"name": "kept", "tasks": [{**ECHO, "parameters": {"text": "kept"}, "cache": {"ttl": 600}}]}


async def call(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    return result.structured_content or {}


async def submitted(client: Client, workflow: dict[str, Any], **arguments: Any) -> str:
    return str((await call(client, "submit_workflow", workflow=workflow, **arguments))["run_id"])


FOREIGN: dict[str, dict[str, Any]] = {
    "inspect_run": {},
    "read_result": {},
    "cancel_run": {},
    "resume_run": {},
    "answer_question": {"question_id": "0", "decline": True},
}


@pytest.mark.parametrize("mode", some(["auto"], ["auto", "legacy"]))
async def test_the_run_of_another_is_as_if_it_were_none_for_every_tool(guarded: Guarding, mode: Mode) -> None:
    with anyio.fail_after(30):
        async with guarded() as server, server.client("alice", mode) as alice, server.client("bob", mode) as bob:
            runs = [await submitted(alice, workflow, wait_seconds=1) for workflow in (FAILS, ASKS)]
            for tool, arguments in FOREIGN.items():
                for run_id in runs:
                    foreign = (await call(bob, tool, run_id=run_id, **arguments))["error"]
                    none = (await call(bob, tool, run_id="0123456789abcdef", **arguments))["error"]
                    assert foreign["code"] == none["code"] == "run_not_found", tool
                    assert foreign["message"].replace(run_id, "ID") == none["message"].replace("0123456789abcdef", "ID")
            assert (await call(bob, "list_runs"))["runs"] == []
            assert (await call(alice, "inspect_run", run_id=runs[1]))["status"] == "waiting"


async def test_an_admin_sees_and_steers_the_runs_of_all_and_they_stay_whose_they_were(guarded: Guarding) -> None:
    with anyio.fail_after(30):
        async with guarded() as server, server.client("alice") as alice, server.client("root") as root:
            failed = await submitted(alice, FAILS)
            asking = await submitted(alice, ASKS, wait_seconds=1)
            hanging = await submitted(alice, HANGS, wait_seconds=0)
            assert {run["run_id"] for run in (await call(root, "list_runs"))["runs"]} == {failed, asking, hanging}

            resumed = (await call(root, "resume_run", run_id=failed))["run_id"]
            question = (await call(root, "inspect_run", run_id=asking))["questions"][0]["question_id"]
            await call(root, "answer_question", run_id=asking, question_id=question, decline=True)
            await call(root, "cancel_run", run_id=hanging)

            mine = {run["run_id"]: run["status"] for run in (await call(alice, "list_runs"))["runs"]}
    assert mine == {failed: "failed", resumed: "failed", asking: "failed", hanging: "cancelled"}


async def test_saved_workflows_are_each_callers_own(guarded: Guarding) -> None:
    other = {**WORKFLOW, "tasks": [{**ECHO, "parameters": {"text": "bob's"}}]}
    with anyio.fail_after(30):
        async with guarded() as server, server.client("alice") as alice, server.client("bob") as bob:
            await call(alice, "save_workflow", workflow=WORKFLOW)
            assert (await call(bob, "list_workflows"))["workflows"] == []
            assert "wf_mine" in {tool.name for tool in (await alice.list_tools()).tools}
            assert "wf_mine" not in {tool.name for tool in (await bob.list_tools()).tools}
            with pytest.raises(MCPError, match="unknown tool"):
                await bob.call_tool("wf_mine", {})
            assert (await call(bob, "submit_workflow", name="mine"))["error"]["code"] == "workflow_not_found"
            assert (await call(bob, "delete_workflow", name="mine"))["error"]["code"] == "workflow_not_found"
            assert (await call(bob, "save_workflow", workflow=other))["version"] == 1
            theirs = await call(bob, "submit_workflow", name="mine")
            await call(bob, "delete_workflow", name="mine")
            mine = await call(alice, "submit_workflow", name="mine")
            nested = {"tasks": [{"id": "child", "method": "workflow/run", "parameters": {"name": "mine"}}]}
            inside = await call(alice, "submit_workflow", workflow=nested)
            outside = await call(bob, "submit_workflow", workflow=nested)
    assert theirs["outputs"] == {"a": {"text": "bob's"}}
    assert mine["outputs"] == {"a": {"text": "x"}}
    assert inside["status"] == "completed"
    assert outside["status"] == "failed"
    assert "mine" in outside["error"]["message"]


async def test_a_workflow_that_an_admin_resumes_finds_the_workflows_of_whose_run_it_is(guarded: Guarding) -> None:
    nested = {"tasks": [{"id": "child", "method": "workflow/run", "parameters": {"name": "mine"}}]}
    with anyio.fail_after(30):
        async with guarded() as server, server.client("alice") as alice, server.client("root") as root:
            failed = await submitted(alice, nested)
            await call(alice, "save_workflow", workflow=WORKFLOW)
            resumed = await call(root, "resume_run", run_id=failed)
    assert resumed["status"] == "completed"


async def test_idempotency_keys_are_each_callers_own(guarded: Guarding) -> None:
    with anyio.fail_after(30):
        async with guarded() as server, server.client("alice") as alice, server.client("bob") as bob:
            first = await submitted(alice, WORKFLOW, idempotency_key="k")
            again = await submitted(alice, WORKFLOW, idempotency_key="k")
            other = await submitted(bob, WORKFLOW, idempotency_key="k")
            clash = await call(bob, "submit_workflow", workflow=FAILS, idempotency_key="k")
    assert first == again != other
    assert clash["error"]["code"] == "conflict"
    assert first not in str(clash)


async def test_kept_results_are_each_callers_own(guarded: Guarding) -> None:
    async def kept(client: Client) -> bool:
        run_id = await submitted(client, COUNTED)
        shown = await call(client, "inspect_run", run_id=run_id, detail="results")
        return bool(shown["tasks"][0]["metadata"].get("cached")) if "metadata" in shown["tasks"][0] else False

    with anyio.fail_after(30):
        async with guarded() as server, server.client("alice") as alice, server.client("bob") as bob:
            found = [await kept(client) for client in (alice, alice, bob)]
    assert found == [False, True, False]


async def test_the_state_of_a_call_that_had_to_ask_is_good_for_its_caller_only(guarded: Guarding) -> None:
    """What the modern era gives back with the answers names the run; from another it opens nothing."""
    asking = {"method": "probe/ask", "parameters": {"message": "Well?"}}

    with anyio.fail_after(30):
        async with guarded() as server, server.client("alice") as alice, server.http("bob") as http:
            run_id = (await call(alice, "call_method", **asking, timeout_seconds=1))["run_id"]
            state = f'{{"tool": "call_method", "run_id": "{run_id}"}}'
            stolen = await http.post("/mcp", json=modern("call_method", asking, state), headers=MODERN)
            unchanged = await call(alice, "inspect_run", run_id=run_id)
    answer = stolen.json()["result"]
    assert answer["structuredContent"]["error"]["code"] == "run_not_found"
    assert unchanged["status"] == "waiting"


MODERN = {
    "MCP-Protocol-Version": "2026-07-28",
    "Mcp-Method": "tools/call",
    "Mcp-Name": "call_method",
    "Accept": "application/json, text/event-stream",
}


def modern(tool: str, arguments: dict[str, Any], state: str) -> dict[str, Any]:
    meta: dict[str, Any] = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "thief", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"form": {}}},
    }
    params: dict[str, Any] = {
        "name": tool,
        "arguments": arguments,
        "requestState": state,
        "inputResponses": {},
        "_meta": meta,
    }
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


async def test_a_session_is_good_only_for_the_token_that_opened_it(guarded: Guarding) -> None:
    hello = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
    opening = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello}
    listing: dict[str, Any] = {
        "jsonrpc": "2.0",
        "id": 2,
        "method": "tools/call",
        "params": {"name": "list_runs", "arguments": {}},
    }
    accept = {"Accept": "application/json, text/event-stream"}
    with anyio.fail_after(20):
        async with guarded() as server, server.http("alice") as alice, server.http("bob") as bob:
            opened = await alice.post("/mcp", json=opening, headers=accept)
            session = {**accept, "Mcp-Session-Id": opened.headers["mcp-session-id"]}
            foreign = [
                await bob.post("/mcp", json=listing, headers=session),
                await bob.request("DELETE", "/mcp", headers=session),
            ]
            async with bob.stream("GET", "/mcp", headers=session) as stream:
                foreign.append(stream)
            own = await alice.post("/mcp", json=listing, headers=session)
    assert [answer.status_code for answer in foreign] == [404, 404, 404]
    assert own.status_code == 200


async def test_messages_to_the_stream_of_another_are_refused(guarded: Guarding) -> None:
    listing = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}
    with anyio.fail_after(20):
        async with (
            guarded() as server,
            server.http("alice") as alice,
            server.http("bob") as bob,
            alice.stream("GET", "/sse") as stream,
        ):
            lines = stream.aiter_lines()
            assert await anext(lines) == "event: endpoint"
            place = (await anext(lines)).removeprefix("data: ")
            foreign = await bob.post(place, json=listing)
            own = await alice.post(place, json=listing)
    assert foreign.status_code == 404
    assert own.status_code == 202


@pytest.mark.parametrize("mode", some(["auto"], ["auto", "legacy"]))
async def test_what_is_read_completed_and_prompted_is_each_callers_own(guarded: Guarding, mode: Mode) -> None:
    with anyio.fail_after(30):
        async with (
            guarded() as server,
            server.client("alice", mode) as alice,
            server.client("bob", mode) as bob,
            server.client("root", mode) as root,
        ):
            run_id = await submitted(alice, FAILS)
            await call(alice, "save_workflow", workflow=WORKFLOW)
            places = [f"gleitzeit://runs/{run_id}", f"gleitzeit://runs/{run_id}/tasks/a"]
            for client, sees in ((alice, True), (root, True), (bob, False)):
                listed = {str(resource.uri) for resource in (await client.list_resources()).resources}
                assert (places[0] in listed) == sees
                for place in places:
                    assert (await is_there(client.read_resource(place))) == sees
                assert (await is_there(client.get_prompt("debug_run", {"run_id": run_id}))) == sees
                assert (await completed(client, "run_id") == [run_id]) == sees
                mine = client is alice
                assert ("gleitzeit://workflows/mine" in listed) == mine
                assert (await is_there(client.read_resource("gleitzeit://workflows/mine"))) == mine


async def is_there(asking: Awaitable[Any]) -> bool:
    try:
        await asking
    except MCPError as error:
        if error.error.code in NOT_FOUND:
            return False
        raise
    return True


async def completed(client: Client, argument: str) -> list[str]:
    reference = types.PromptReference(type="ref/prompt", name="debug_run")
    result = await client.complete(reference, {"name": argument, "value": ""})
    return list(result.completion.values)


async def test_a_task_of_another_is_none_to_get_to_steer_and_to_hear_of(guarded: Guarding) -> None:
    async def asked(http: httpx2.AsyncClient, method: str, **params: Any) -> dict[str, Any]:
        meta: dict[str, Any] = {**ENVELOPE, "io.modelcontextprotocol/clientCapabilities": DECLARED}
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {**params, "_meta": meta}}
        named = params.get("taskId", params.get("name", ""))
        headers = {**MODERN, "Mcp-Method": method, "Mcp-Name": named}
        return dict((await http.post("/mcp", json=body, headers=headers)).json())

    with anyio.fail_after(30):
        async with guarded() as server, server.http("alice") as alice, server.http("bob") as bob:
            arguments = {"workflow": HANGS, "wait_seconds": 0}
            begun = await asked(alice, "tools/call", name="submit_workflow", arguments=arguments)
            task_id = begun["result"]["taskId"]
            foreign = [
                await asked(bob, "tasks/get", taskId=task_id),
                await asked(bob, "tasks/cancel", taskId=task_id),
                await asked(bob, "tasks/update", taskId=task_id, inputResponses={}),
            ]
            own = await asked(alice, "tasks/get", taskId=task_id)
            async with server.http("root") as root:
                await asked(root, "tasks/cancel", taskId=task_id)
            ended = await asked(alice, "tasks/get", taskId=task_id)
    assert [answer["error"]["code"] for answer in foreign] == [types.INVALID_PARAMS] * 3
    assert own["result"]["status"] == "working"
    assert ended["result"]["status"] == "cancelled"


NOT_FOUND = (types.INVALID_PARAMS, -32002)
DECLARED: dict[str, Any] = {"extensions": {"io.modelcontextprotocol/tasks": {}}}
ENVELOPE: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
}
