"""What each token is good for, whatever is asked for and in whichever era."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import SimpleNamespace
from typing import Any, Literal

import anyio
import mcp_types as types
import pytest
from mcp.shared.exceptions import MCPError
from tests.ways import some

from gleitzeit.core.scopes import Scope
from gleitzeit.mcp_server.access.caller import CALLER, LOCAL, Caller
from gleitzeit.mcp_server.access.rights import FIXED_TOOLS, FORBIDDEN, scope_of, scope_of_tool
from gleitzeit.mcp_server.manifest.tools import TOOLS
from gleitzeit.mcp_server.tools.rounds import host_of

Guarding = Callable[..., AbstractAsyncContextManager[Any]]
Mode = Literal["auto", "legacy"]

pytestmark = pytest.mark.anyio

WORKFLOW = {"name": "one", "tasks": [{"id": "a", "method": "probe/echo", "parameters": {"text": "a"}}]}
CALLS: dict[str, dict[str, Any]] = {
    "inspect_run": {"run_id": "0"},
    "list_runs": {},
    "read_result": {"run_id": "0"},
    "validate_workflow": {"workflow": WORKFLOW},
    "search_methods": {"query": "echo"},
    "list_workflows": {},
    "submit_workflow": {"workflow": WORKFLOW},
    "call_method": {"method": "probe/echo", "parameters": {"text": "a"}},
    "query_method": {"method": "probe/echo", "parameters": {"text": "a"}},
    "cancel_run": {"run_id": "0"},
    "resume_run": {"run_id": "0"},
    "answer_question": {"run_id": "0", "question_id": "0", "decline": True},
    "save_workflow": {"workflow": WORKFLOW},
    "delete_workflow": {"name": "none"},
}
ALLOWED: dict[str, set[Scope]] = {
    "reader": {"workflows:read"},
    "runner": {"workflows:read", "workflows:run"},
    "writer": {"workflows:write"},
    "root": {"workflows:read", "workflows:run", "workflows:write"},
}


def test_every_tool_of_the_manifest_has_its_scope_and_its_call_here() -> None:
    assert set(FIXED_TOOLS) == set(TOOLS) == set(CALLS)


def test_what_changes_nothing_needs_no_more_than_reading() -> None:
    reading = {name for name, scope in FIXED_TOOLS.items() if scope == "workflows:read"}
    declared = {
        name for name, tool in TOOLS.items() if tool.annotations is not None and tool.annotations.read_only_hint
    }
    assert reading == declared - {"query_method"}  # it changes nothing, but it runs something


def test_what_nobody_has_thought_of_is_left_to_whoever_may_do_everything() -> None:
    assert scope_of("runs/erase", {}) == "admin"
    assert scope_of("tools/call", None) == scope_of_tool(7) == scope_of_tool("wf_anything") == "workflows:run"
    assert not LOCAL.may("admin")


@pytest.mark.parametrize("brought", ["requestState", "inputResponses"])
def test_to_answer_while_reading_needs_more_than_to_read(brought: str) -> None:
    assert scope_of("tools/call", {"name": "inspect_run"}) == "workflows:read"
    assert scope_of("tools/call", {"name": "inspect_run", brought: {}}) == "workflows:run"
    assert scope_of("tools/call", {"name": "save_workflow", brought: {}}) == "workflows:write"


@pytest.mark.parametrize(("scope", "asked"), [("workflows:read", False), ("workflows:run", True)])
def test_whoever_may_only_read_is_asked_nothing(scope: Scope, asked: bool) -> None:
    capabilities = types.ClientCapabilities(elicitation=types.ElicitationCapability())
    request = SimpleNamespace(scope={CALLER: Caller("c", frozenset({scope}))})
    session = SimpleNamespace(client_capabilities=capabilities)
    context: Any = SimpleNamespace(request=request, session=session, protocol_version="2026-07-28", params={})
    assert (host_of(context) is not None) == asked


def test_admin_is_all_of_it() -> None:
    root = Caller("root", frozenset[Scope]({"admin"}))
    assert all(root.may(scope) for scope in ("workflows:read", "workflows:run", "workflows:write"))
    assert root.sees is None


def error_of(result: types.CallToolResult) -> dict[str, Any]:
    data: dict[str, Any] = result.structured_content or {}
    return dict(data.get("error", {}))


WAYS: list[tuple[str, Mode]] = [*((name, "auto") for name in ALLOWED), ("runner", "legacy")]
ALL_WAYS: list[tuple[str, Mode]] = [*WAYS, *((name, "legacy") for name in ALLOWED if name != "runner")]


@pytest.mark.parametrize(("name", "mode"), some(WAYS, ALL_WAYS))
async def test_each_tool_serves_those_only_whose_token_is_good_for_it(guarded: Guarding, name: str, mode: Mode) -> None:
    with anyio.fail_after(30):
        async with guarded() as server, server.client(name, mode) as client:
            listed = {tool.name for tool in (await client.list_tools()).tools}
            refused: set[str] = set()
            for tool, arguments in CALLS.items():
                result = await client.call_tool(tool, arguments)
                error = error_of(result)
                if error.get("code") == "forbidden":
                    refused.add(tool)
                    assert result.is_error
                    assert FIXED_TOOLS[tool] in error["message"]
                    assert error["details"] == {"scope": FIXED_TOOLS[tool]}
    usable = {tool for tool, scope in FIXED_TOOLS.items() if scope in ALLOWED[name]}
    assert refused == set(CALLS) - usable
    assert listed & set(FIXED_TOOLS) == usable


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_what_is_no_tool_needs_its_scope_as_well(guarded: Guarding, mode: Mode) -> None:
    with anyio.fail_after(20):
        async with guarded() as server, server.client("writer", mode) as client:
            for request in (client.list_resources, client.list_prompts):
                with pytest.raises(MCPError) as refusal:
                    await request()
                if mode == "legacy":
                    assert refusal.value.error.code == FORBIDDEN
                    assert refusal.value.error.data == {"scope": "workflows:read"}


async def test_a_request_that_says_in_its_headers_what_it_wants_is_refused_by_http(guarded: Guarding) -> None:
    headers = {"Mcp-Method": "resources/list", "MCP-Protocol-Version": "2026-07-28"}
    with anyio.fail_after(20):
        async with guarded() as server, server.http("writer") as http:
            answer = await http.post("/mcp", json={}, headers=headers)
    assert answer.status_code == 403
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_scope", error_description="the token has no scope workflows:read", '
        'scope="workflows:read"'
    )


async def test_a_method_that_there_is_not_is_said_to_be_none(guarded: Guarding) -> None:
    with anyio.fail_after(20):
        async with guarded() as server, server.client("reader", "legacy") as client:
            request = types.Request(method="runs/erase", params=types.RequestParams())
            with pytest.raises(MCPError) as refusal:
                await client.session.send_request(request, types.EmptyResult)
    assert refusal.value.error.code == types.METHOD_NOT_FOUND


async def test_the_list_of_usable_tools_is_kept_by_nobody_but_its_caller(guarded: Guarding) -> None:
    with anyio.fail_after(20):
        async with guarded() as server, server.client("reader") as client:
            listed = await client.list_tools()
    assert listed.cache_scope == "private"
