"""A server that is killed while a person is asked: the question is still asked, and no answer is asked for again."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

COMMAND = [sys.executable, "-m", "gleitzeit"]
LONGEST = 1 << 20
FORM = {"type": "object", "properties": {"go": {"type": "boolean"}}, "required": ["go"]}
DEPLOY = {
    "tasks": [
        {"id": "ask", "method": "human/ask", "parameters": {"message": "Deploy?", "schema": FORM}},
        {"id": "after", "method": "workflow/run", "parameters": {"workflow": {"tasks": [
            {"id": "again", "method": "human/ask", "parameters": {"message": "Sure?", "schema": FORM}},
        ]}}, "when": "ask.go"},
    ],
    "outputs": {"first": "${ask.go}", "second": "${after.again.go}"},
}  # fmt: skip


class Host:
    """A host of one server over pipes, that can ask nobody."""

    def __init__(self, process: Process) -> None:
        assert process.stdout is not None
        self._process = process
        self._lines = BufferedByteReceiveStream(process.stdout)
        self._number = 0

    async def request(self, method: str, **params: Any) -> Any:
        self._number += 1
        await self._send({"jsonrpc": "2.0", "id": self._number, "method": method, "params": params})
        while True:
            line = json.loads(await self._lines.receive_until(b"\n", LONGEST))
            if line.get("id") == self._number:
                return line["result"]

    async def begin(self) -> None:
        client = {"name": "host", "version": "1"}
        await self.request("initialize", protocolVersion="2025-06-18", capabilities={}, clientInfo=client)
        await self._send({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        result = await self.request("tools/call", name=tool, arguments=arguments)
        data: dict[str, Any] = result["structuredContent"]
        return data

    async def kill(self) -> None:
        os.kill(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def _send(self, message: Any) -> None:
        assert self._process.stdin is not None
        await self._process.stdin.send(json.dumps(message).encode() + b"\n")


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("GLEITZEIT_")}
    return {**inherited, "HOME": str(tmp_path), "GLEITZEIT_HOME": str(tmp_path / "home"), "NO_COLOR": "1"}


@asynccontextmanager
async def server(environment: dict[str, str]) -> AsyncGenerator[Host]:
    """`gleitzeit mcp` and its host; it is killed at the end if it was not before."""
    async with await anyio.open_process([*COMMAND, "mcp"], env=environment, stderr=None) as process:
        host = Host(process)
        with anyio.fail_after(60):
            await host.begin()
            yield host
        if process.returncode is None:
            await host.kill()


async def command(environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    ended = await anyio.run_process([*COMMAND, *arguments], env=environment, check=False, stderr=None)
    return ended.returncode, ended.stdout.decode()


async def test_a_question_outlives_every_server_that_asks_it_and_its_answer_too(environment: dict[str, str]) -> None:
    async with server(environment) as host:
        run = await host.call("submit_workflow", workflow=DEPLOY, wait_seconds=20)
        (first,) = run["questions"]
        await host.kill()
    code, stdout = await command(environment, "runs", "answer", run["run_id"], "-i", "go=true", "--json")
    assert (code, json.loads(stdout).get("questions")) == (0, None)
    async with server(environment) as host:
        with anyio.fail_after(30):
            shown = await host.call("inspect_run", run_id=run["run_id"], wait_seconds=20)
        (second,) = shown["questions"]
        assert (second["message"], second["task_id"]) == ("Sure?", "after")
        await host.kill()
    async with server(environment) as host:
        shown = await host.call("inspect_run", run_id=run["run_id"], wait_seconds=20)
        assert shown["questions"] == [second]
        key = {"run_id": run["run_id"], "question_id": second["question_id"]}
        answered = await host.call("answer_question", **key, answer={"go": False}, wait_seconds=20)
        events = (await host.call("inspect_run", run_id=run["run_id"], detail="events"))["events"]
    assert (answered["status"], answered["outputs"]) == ("completed", {"first": True, "second": False})
    assert [event["data"]["question_id"] for event in events if event["kind"] == "question.answered"] == [
        first["question_id"],
        second["question_id"],
    ]
