"""What servers start themselves ends with them, whatever ends the hub."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
from collections.abc import Callable, Iterable
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute, SocketListener
from tests.providers.mcp.servers.settings import OWNER, ROOT, raw
from tests.providers.mcp.servers.task import called

from gleitzeit_mcp import MCPHubProvider

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="needs pidfd_open to wait for a process of another"),
]

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]
OwnServer = Callable[..., dict[str, Any]]

FAMILY = "mcp/tool.parent.family"


def direct() -> dict[str, Any]:
    return raw("parent")


def behind_a_shell() -> dict[str, Any]:
    """Started by a shell that stays between, and passes no signal on."""
    settings = raw("parent")
    return settings | {"command": ["sh", "-c", f"{shlex.join(settings['command'])}; true"]}


WAYS = pytest.mark.parametrize("settings", [direct(), behind_a_shell()], ids=["direct", "shell"])


async def all_gone(watched: Iterable[int]) -> None:
    for descriptor in watched:
        await anyio.wait_readable(descriptor)  # readable as soon as the process has ended
        os.close(descriptor)


@WAYS
async def test_children_that_ignore_signals_end_with_the_hub(open_hub: OpenHub, settings: dict[str, Any]) -> None:
    with anyio.fail_after(20):
        async with open_hub(settings) as hub:
            pids = (await called(hub, "parent.family"))["pids"]
            watched = [os.pidfd_open(pid) for pid in pids]
        assert len(pids) == 3
        await all_gone(watched)


@WAYS
async def test_children_that_ignore_signals_end_with_a_gleitzeit_that_was_killed(settings: dict[str, Any]) -> None:
    command = [sys.executable, "-m", OWNER, json.dumps({"servers": [settings]}), FAMILY]
    with anyio.fail_after(20):
        async with await anyio.open_process(command, cwd=ROOT, stderr=None) as owner:
            assert owner.stdout is not None
            pids = json.loads(await owner.stdout.receive())["pids"]
            watched = [os.pidfd_open(pid) for pid in pids]
            owner.kill()
            await all_gone(watched)


@WAYS
async def test_children_of_a_server_that_was_killed_are_gone_before_the_next_one_answers(
    open_hub: OpenHub, settings: dict[str, Any]
) -> None:
    with anyio.fail_after(20):
        async with open_hub(settings) as hub:
            server, *children = (await called(hub, "parent.family"))["pids"]
            watched = [os.pidfd_open(pid) for pid in children]
            os.kill(server, signal.SIGKILL)
            connection = hub.connection("parent")
            while connection.is_up():
                await connection.next_change()
            assert server not in (await called(hub, "parent.family"))["pids"]
            await all_gone(watched)


async def test_a_gleitzeit_that_is_killed_while_its_servers_start_leaves_none_behind(own_server: OwnServer) -> None:
    listener = (await anyio.create_tcp_listener(local_host="127.0.0.1")).listeners[0]
    assert isinstance(listener, SocketListener)
    stubborn = own_server("stubborn", args=[str(listener.extra(SocketAttribute.local_port))])
    servers = [stubborn | {"name": f"stubborn{number}"} for number in range(6)]
    command = [sys.executable, "-m", OWNER, json.dumps({"servers": servers}), "mcp/tools/list"]
    alive: set[int] = set()
    try:
        with anyio.fail_after(10):
            async with (
                listener,
                await anyio.open_process(command, cwd=ROOT, stderr=None) as owner,
                anyio.create_task_group() as tasks,
            ):
                none_left = anyio.Event()

                async def accompany(told: ByteStream) -> None:
                    async with told:
                        pid = int(await told.receive())
                        alive.add(pid)
                        with suppress(ProcessLookupError):
                            owner.kill()  # as soon as the first of them runs
                        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
                            await told.receive()
                        alive.discard(pid)
                    if not alive:
                        none_left.set()

                tasks.start_soon(listener.serve, accompany)
                await owner.wait()
                await none_left.wait()
                tasks.cancel_scope.cancel()
    finally:
        for pid in alive:
            os.kill(pid, signal.SIGKILL)
