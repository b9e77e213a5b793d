"""A server that does not start fails alone, says why, and holds up nobody."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import MethodNotFoundError, ProviderUnavailableError
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]
OwnServer = Callable[..., dict[str, Any]]


async def refusal(hub: MCPHubProvider, method: str) -> ProviderUnavailableError:
    """The error of a call that finds its server down."""
    with pytest.raises(ProviderUnavailableError) as failure:
        await hub.handle_request(method, {})
    assert failure.value.retryable
    assert not failure.value.ambiguous
    return failure.value


async def state_of(hub: MCPHubProvider, name: str) -> dict[str, Any]:
    servers = (await hub.handle_request("mcp/servers", {}))["servers"]
    return next(server for server in servers if server["name"] == name)


async def test_a_crash_at_start_shows_the_exit_code_and_the_last_lines_of_stderr(
    open_hub: OpenHub, own_server: OwnServer
) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("crashing")) as hub:
            error = await refusal(hub, "mcp/tool.crashing.x")
            state = await state_of(hub, "crashing")
    assert 'server "crashing" did not start: it exited with code 3' in error.message
    assert error.message.endswith("fatal: no token given")
    assert "line 39" in error.message
    assert "line 3\n" not in error.message
    assert state["state"] == "failed"
    assert "fatal: no token given" in state["last_error"]


async def test_a_missing_command_names_the_fix(open_hub: OpenHub) -> None:
    nowhere = {"PATH": "/nowhere"}
    servers = (
        {"name": "npm", "command": ["npx", "--version"], "env": nowhere},
        {"name": "own", "command": "own-server --stdio", "env": nowhere},
    )
    with anyio.fail_after(20):
        async with open_hub(*servers) as hub:
            npx, own = await refusal(hub, "mcp/tool.npm.x"), await refusal(hub, "mcp/tool.own.x")
            shown = (await state_of(hub, "npm"))["hint"]
    assert "npx is not on the PATH of its env" in npx.message
    assert "install Node.js" in str(npx.hint)
    assert "own-server is not on the PATH of its env" in own.message
    assert "install Node.js" in shown


async def test_a_file_that_is_no_program_is_told_with_the_way_out(open_hub: OpenHub, tmp_path: Path) -> None:
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\0garbage")
    garbage.chmod(0o700)
    with anyio.fail_after(20):
        async with open_hub({"name": "own", "command": [str(garbage)]}) as hub:
            error = await refusal(hub, "mcp/tool.own.x")
    assert error.message == f'server "own" did not start: {garbage} cannot be started: exec format error'
    assert "for this machine" in str(error.hint)


async def test_an_unset_variable_fails_that_server_alone(
    open_hub: OpenHub, own_server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GLEITZEIT_TEST_UNSET", raising=False)
    broken = own_server("toolbox", env={"TOKEN": "${GLEITZEIT_TEST_UNSET}"}) | {"name": "broken"}
    with anyio.fail_after(20):
        async with open_hub(broken, own_server("toolbox", env={"TOKEN": "${GLEITZEIT_TEST_UNSET:-spare}"})) as hub:
            error = await refusal(hub, "mcp/tool.broken.add")
            assert (await hub.handle_request("mcp/tool.toolbox.environment", {"name": "TOKEN"}))["text"] == "spare"
    assert "env.TOKEN: the environment variable GLEITZEIT_TEST_UNSET is not set" in error.message
    assert "set GLEITZEIT_TEST_UNSET" in str(error.hint)


@pytest.mark.parametrize(("kind", "scheme"), [("http", "http"), ("sse", "http"), ("websocket", "ws")])
async def test_an_address_where_nobody_listens_is_unavailable(open_hub: OpenHub, kind: str, scheme: str) -> None:
    gone = {"name": "gone", "connection_type": kind, "url": f"{scheme}://127.0.0.1:9/mcp?key=hidden"}
    with anyio.fail_after(20):
        async with open_hub(gone) as hub:
            error = await refusal(hub, "mcp/tool.gone.x")
    assert f"{scheme}://127.0.0.1:9/mcp" in error.message
    assert "hidden" not in error.message


async def test_a_server_that_never_answers_is_given_up_after_its_timeout(
    open_hub: OpenHub, own_server: OwnServer
) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("silent", timeout=0.5)) as hub:
            error = await refusal(hub, "mcp/tool.silent.x")
    assert "did not answer within 0.5 s" in error.message
    assert "it is still running" in error.message


async def test_a_silent_server_holds_up_neither_the_start_nor_the_others(
    open_hub: OpenHub, own_server: OwnServer
) -> None:
    with anyio.fail_after(20):
        before = time.monotonic()
        async with open_hub(own_server("silent"), own_server("toolbox")) as hub:
            assert time.monotonic() - before < 5
            assert (await hub.handle_request("mcp/tool.toolbox.add", {"a": 1, "b": 1}))["sum"] == 2
            assert (await state_of(hub, "silent"))["state"] == "starting"


async def test_a_call_waits_for_a_starting_server_no_longer_than_its_task_may(
    open_hub: OpenHub, own_server: OwnServer
) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("silent")) as hub:
            leave = enter_task(TaskContext(deadline=time.monotonic() + 0.2))
            error = await refusal(hub, "mcp/tool.silent.x")
            leave()
    assert error.message == 'server "silent" is starting'


async def test_junk_on_stdout_and_a_flood_on_stderr_do_no_harm(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("chatty")) as hub:
            assert (await hub.handle_request("mcp/tool.chatty.flood", {"megabytes": 8}))["text"] == "done"


async def test_a_server_that_failed_gets_another_chance_with_the_next_call(
    open_hub: OpenHub, own_server: OwnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    licence = tmp_path / "licence"
    with anyio.fail_after(20):
        async with open_hub(own_server("fickle", args=[str(licence)])) as hub:
            error = await refusal(hub, "mcp/tool.fickle.hello")
            licence.touch()
            assert (await refusal(hub, "mcp/tool.fickle.hello")).message == error.message
            monkeypatch.setattr("gleitzeit_mcp.servers.connection.RETRY_AFTER", 0)
            assert (await hub.handle_request("mcp/tool.fickle.hello", {}))["text"] == "hello"
            assert (await state_of(hub, "fickle"))["restarts"] == 1
    assert "a line on its stdout was no message: Error: no licence" in error.message


async def test_a_server_that_is_down_is_described_without_its_schema(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("crashing", idempotent_tools=["get_*"])) as hub:
            spec = await hub.describe("mcp/tool.crashing.get_it")
    assert spec is not None
    assert spec.idempotent
    assert "did not start" in spec.description


async def test_a_tool_of_no_server_at_all_is_unknown(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox", tool_prefix="t.")) as hub:
            with pytest.raises(MethodNotFoundError, match="no downstream server"):
                await hub.handle_request("mcp/tool.gh.create_issue", {})
        async with open_hub() as hub:
            with pytest.raises(MethodNotFoundError) as failure:
                await hub.handle_request("mcp/tool.gh.create_issue", {})
            assert await hub.handle_request("mcp/servers", {}) == {"servers": [], "count": 0}
            assert await hub.handle_request("mcp/tools/list", {}) == {"tools": [], "count": 0}
    assert "mcp.servers" in str(failure.value.hint)


async def test_a_server_that_waits_for_its_use_starts_with_the_first_call(
    open_hub: OpenHub, own_server: OwnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLEITZEIT_HOME", str(tmp_path))
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox", auto_start=False)) as hub:
            assert (await state_of(hub, "toolbox"))["state"] == "stopped"
            assert (await hub.handle_request("mcp/tools/list", {}))["count"] == 0
            assert (await hub.handle_request("mcp/tool.toolbox.add", {"a": 1, "b": 1}))["sum"] == 2
        async with open_hub(own_server("toolbox", auto_start=False)) as hub:  # its tools are known by now
            tools = (await hub.handle_request("mcp/tools/list", {}))["tools"]
            assert "add" in {tool["name"] for tool in tools}
            assert (await state_of(hub, "toolbox"))["state"] == "stopped"


async def test_a_hub_that_nobody_serves_says_so() -> None:
    hub = MCPHubProvider("mcp", {"servers": [{"name": "x", "command": "x"}]})
    assert "not running" in (await refusal(hub, "mcp/tool.x.y")).message
