"""A server that dies is started again; a call that was under way is not repeated."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketListener
from tests.providers.mcp.servers.settings import OWNER, ROOT

from gleitzeit.core import errors
from gleitzeit.core.errors import ConnectionLostError, ProviderUnavailableError
from gleitzeit_mcp import MCPHubProvider
from gleitzeit_mcp.servers.restarts import RestartPolicy, jittered

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]
OwnServer = Callable[..., dict[str, Any]]

CLIENT: dict[str, Any] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "test", "version": "1"},
}
FIRST_WORDS: list[dict[str, Any]] = [
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": CLIENT},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "search_methods", "arguments": {}}},
]


async def process_id(hub: MCPHubProvider) -> int:
    return int((await hub.handle_request("mcp/tool.toolbox.process", {}))["result"])


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_call_cut_off_is_ambiguous_and_the_next_one_finds_a_new_process(
    open_hub: OpenHub, own_server: OwnServer, mode: str
) -> None:
    with anyio.fail_after(30):
        async with open_hub(own_server("toolbox", mode=mode)) as hub:
            before = await process_id(hub)
            with pytest.raises(ConnectionLostError) as failure:
                await hub.handle_request("mcp/tool.toolbox.crash", {"code": 7})
            assert await process_id(hub) != before
            (server,) = (await hub.handle_request("mcp/servers", {}))["servers"]
    assert failure.value.ambiguous
    assert (server["state"], server["restarts"]) == ("ready", 1)


async def test_a_server_killed_while_idle_is_up_again_before_the_next_call(
    open_hub: OpenHub, own_server: OwnServer
) -> None:
    with anyio.fail_after(30):
        async with open_hub(own_server("toolbox")) as hub:
            before = await process_id(hub)
            os.kill(before, signal.SIGKILL)
            connection = hub.connection("toolbox")
            while connection.is_up():
                await connection.next_change()
            assert await process_id(hub) != before


async def test_without_restarts_a_dead_server_stays_failed_until_it_is_called(
    open_hub: OpenHub, own_server: OwnServer
) -> None:
    with anyio.fail_after(30):
        async with open_hub(own_server("toolbox", restart_on_failure=False)) as hub:
            await process_id(hub)
            with pytest.raises(ConnectionLostError):
                await hub.handle_request("mcp/tool.toolbox.crash", {"code": 7})
            connection = hub.connection("toolbox")
            while connection.state != "failed":
                await connection.next_change()
            with pytest.raises(ProviderUnavailableError, match=r"exited with code 7(.|\n)*boom: out of ink"):
                await process_id(hub)


async def test_a_call_over_the_timeout_of_its_server_is_ambiguous(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(30):
        async with open_hub(own_server("toolbox", timeout=5)) as hub:
            await process_id(hub)
            hub.connection("toolbox").server = hub.connection("toolbox").server.model_copy(update={"timeout": 0.2})
            with pytest.raises(errors.TimeoutError) as failure:
                await hub.handle_request("mcp/tool.toolbox.slow", {"started": os.devnull, "cancelled": os.devnull})
            assert await process_id(hub) > 0
    assert failure.value.ambiguous


async def test_no_process_outlives_the_hub(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(30):
        async with open_hub(own_server("toolbox")) as hub:
            pid = await process_id(hub)
            assert is_alive(pid)
    assert not is_alive(pid)


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open to wait for a process of another")
async def test_no_process_outlives_a_gleitzeit_that_was_killed(own_server: OwnServer) -> None:
    section = json.dumps({"servers": [own_server("toolbox")]})
    command = [sys.executable, "-m", OWNER, section, "mcp/tool.toolbox.process"]
    with anyio.fail_after(30):
        async with await anyio.open_process(command, cwd=ROOT, stderr=None) as owner:
            assert owner.stdout is not None
            watched = os.pidfd_open(json.loads(await owner.stdout.receive())["result"])
            owner.kill()
            await anyio.wait_readable(watched)  # readable as soon as the process has ended
            os.close(watched)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no kernel ends the child of a killed process")
@pytest.mark.parametrize("killed", [True, False])
async def test_a_server_that_ignores_everything_ends_with_gleitzeit(
    own_server: OwnServer, tmp_path: Path, killed: bool
) -> None:
    listener = (await anyio.create_tcp_listener(local_host="127.0.0.1")).listeners[0]
    assert isinstance(listener, SocketListener)
    port = listener.extra(SocketAttribute.local_port)
    stubborn = own_server("stubborn", timeout=3)
    stubborn["command"].append(str(port))
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"mcp": {"servers": [stubborn]}}))
    environment = {**os.environ, "GLEITZEIT_HOME": str(tmp_path)}
    command = [sys.executable, "-c", "from gleitzeit.cli import serve_stdio; serve_stdio()"]
    with anyio.fail_after(30):
        async with listener, await anyio.open_process(command, env=environment, stderr=None) as gleitzeit:
            assert gleitzeit.stdin is not None
            await gleitzeit.stdin.send("".join(f"{json.dumps(words)}\n" for words in FIRST_WORDS).encode())
            async with await listener.accept() as told:
                watched = os.pidfd_open(int(await told.receive()))
            if killed:
                gleitzeit.kill()
            else:
                await gleitzeit.stdin.aclose()
            await anyio.wait_readable(watched)
            os.close(watched)
            await gleitzeit.wait()


async def test_a_server_that_never_answers_has_failed_when_its_time_is_over(
    open_hub: OpenHub,
) -> None:
    stubborn = {"name": "stubborn", "command": ["sh", "-c", "trap '' TERM; sleep 1000; sleep 1000"], "timeout": 0.5}
    with anyio.fail_after(20):
        async with open_hub(stubborn) as hub:
            started = anyio.current_time()
            assert (await hub.handle_request("mcp/tools/list", {}))["tools"] == []
            waited = anyio.current_time() - started
            (server,) = (await hub.handle_request("mcp/servers", {}))["servers"]
    assert waited < 1  # ending it takes another second
    assert server["state"] == "failed"
    assert "did not answer within 0.5 s" in server["last_error"]


def test_restarts_come_later_each_time_and_end() -> None:
    policy = RestartPolicy(limit=3, window=60, first_delay=0.1, longest_delay=0.3)
    assert [policy.delay([1.0] * count, now=2.0) for count in range(4)] == [0.1, 0.2, 0.3, None]
    assert policy.delay([1.0] * 3, now=61.0) == 0.1
    assert RestartPolicy(limit=0).delay([], now=1.0) is None


def test_servers_that_died_together_do_not_come_back_together() -> None:
    delays = {jittered(0.1) for _ in range(100)}
    assert len(delays) > 50
    assert all(0.05 <= delay <= 0.15 for delay in delays)
