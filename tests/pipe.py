"""A host that writes the wire by hand, to a server that it has started."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import Process
from anyio.streams.buffered import BufferedByteReceiveStream
from mcp_types import PROTOCOL_VERSION_META_KEY

SERVE = (sys.executable, "-c", "import sys; from gleitzeit.cli import serve_stdio; sys.exit(serve_stdio())")
LARGEST = 1 << 26

ENVELOPE: dict[str, Any] = {
    PROTOCOL_VERSION_META_KEY: "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
HELLO: dict[str, Any] = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "raw", "version": "1"},
}


class Pipe:
    """A host that writes the wire by hand."""

    def __init__(self, process: Process) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self.process = process
        self.stdin = process.stdin
        self._lines = BufferedByteReceiveStream(process.stdout)

    async def line(self, data: bytes) -> None:
        await self.stdin.send(data + b"\n")

    async def send(self, message: Mapping[str, Any]) -> None:
        await self.line(json.dumps({"jsonrpc": "2.0", **message}).encode())

    async def receive(self) -> dict[str, Any]:
        line = await self._lines.receive_until(b"\n", LARGEST)
        message: dict[str, Any] = json.loads(line)
        return message

    async def answer(self, request_id: int) -> dict[str, Any]:
        while True:
            message = await self.receive()
            if message.get("id") == request_id:
                return message

    async def request(self, request_id: int, method: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        await self.send({"id": request_id, "method": method, "params": params or {}})
        return await self.answer(request_id)

    async def initialize(self, request_id: int = 0, version: str = "2025-11-25") -> dict[str, Any]:
        answer = await self.request(request_id, "initialize", {**HELLO, "protocolVersion": version})
        await self.send({"method": "notifications/initialized"})
        return answer

    async def call(self, request_id: int, name: str, **arguments: Any) -> dict[str, Any]:
        answer = await self.request(request_id, "tools/call", {"name": name, "arguments": arguments})
        result: dict[str, Any] = answer["result"]
        return result

    async def rest(self) -> bytes:
        """What is still written until the process has closed its output."""
        data = b""
        try:
            while True:
                data += await self._lines.receive()
        except anyio.EndOfStream:
            return data


@asynccontextmanager
async def pipe(
    environment: Mapping[str, str], command: Sequence[str] = SERVE, folder: Path | None = None
) -> AsyncGenerator[Pipe]:
    """A server that was started by `command`, which ends with the context if it has not ended by itself."""
    async with await anyio.open_process(command, env=environment, cwd=folder, stderr=subprocess.DEVNULL) as process:
        try:
            yield Pipe(process)
        finally:
            if process.returncode is None:
                process.kill()


def modern(**params: Any) -> dict[str, Any]:
    return {**params, "_meta": dict(ENVELOPE)}
