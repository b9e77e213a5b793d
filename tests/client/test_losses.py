"""A server that goes away fails the calls of its clients, and nothing else; who leaves is not held up by it."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.providers.mcp.test_http_faults import Request, serving

from gleitzeit import GleitzeitClient
from gleitzeit.core.errors import ConnectionLostError

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A `gleitzeit serve`, and its address."""
    command = [sys.executable, "-m", "gleitzeit", "serve", "--port", "0"]
    environment = {**os.environ, "GLEITZEIT_HOME": str(tmp_path)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        found = next((match for line in process.stderr if (match := re.search(r"http://127.0.0.1:\d+", line))), None)
        assert found is not None, "the server did not say where it listens"
        yield process, found.group()
        process.kill()
        process.stderr.read()


@pytest.mark.parametrize("path", ["/mcp", "/sse"])
async def test_calls_fail_as_lost_once_their_server_is_killed_and_the_program_goes_on(
    server: tuple[subprocess.Popen[str], str], path: str
) -> None:
    process, address = server
    with anyio.fail_after(20):
        async with GleitzeitClient(mode="mcp", url=address + path) as client:
            await client.list_runs()
            process.send_signal(signal.SIGSTOP)  # so that the call is surely under way
            async with anyio.create_task_group() as tasks:

                async def ask() -> None:
                    with pytest.raises(ConnectionLostError, match="inspect_run"):
                        await client.get_run("r")

                tasks.start_soon(ask)
                await anyio.wait_all_tasks_blocked()
                process.kill()
            with pytest.raises(ConnectionLostError, match="list_runs"):
                await client.list_runs()


class Late:
    """A server of the older era that answers the call of a tool only when its client is leaving."""

    def __init__(self) -> None:
        self.called = anyio.Event()
        self.answered = anyio.Event()
        self._leaving = anyio.Event()

    async def __call__(self, request: Request) -> None:
        if request.method == "DELETE":
            self._leaving.set()
            await self.answered.wait()
            await request.reply("200 OK")
        elif request.method == "GET":
            await request.reply("405 Method Not Allowed")
        elif "id" not in request.message:
            await request.reply("202 Accepted")
        else:
            await self._answer(request, request.message["id"], request.message["method"])

    async def _answer(self, request: Request, identity: Any, method: str) -> None:
        if method == "initialize":
            about = {"name": "late", "version": "1"}
            result: dict[str, Any] = {
                "protocolVersion": "2025-06-18",
                "capabilities": {"tools": {}},
                "serverInfo": about,
            }
            await request.reply_json(
                {"jsonrpc": "2.0", "id": identity, "result": result}, headers={"Mcp-Session-Id": "one"}
            )
        elif method == "tools/call":
            self.called.set()
            await self._leaving.wait()
            await request.reply_json({"jsonrpc": "2.0", "id": identity, "result": {"content": []}})
            self.answered.set()
        else:
            refusal = {"code": -32601, "message": "no such method"}
            await request.reply_json({"jsonrpc": "2.0", "id": identity, "error": refusal})


async def test_an_answer_that_comes_while_its_client_leaves_disturbs_nobody() -> None:
    late = Late()
    with anyio.fail_after(20):
        async with (
            serving(late) as far,
            GleitzeitClient(mode="mcp", url=far.url) as client,
            anyio.create_task_group() as tasks,
        ):
            tasks.start_soon(client.get_run, "r")
            await late.called.wait()
            tasks.cancel_scope.cancel()
        assert late.answered.is_set()
