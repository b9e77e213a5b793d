"""The least that a hub can be: it starts servers, lists their tools, and passes calls on with an id of its own.

    python -m benchmarks.hub_floor '[{"name": "s0", "command": ["python", "echo_server.py", "s0"]}]' [--start]

Plain asyncio, the legacy era alone, no schemas, no limits, no restarts. With `--start` it prints what it takes until
all servers are listed, and ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.process_table import cpu_with_children

Message = dict[str, Any]
Answered = Callable[[Message], None]

LARGEST_LINE = 2**20
CLIENT = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "floor", "version": "1"}}


def line_of(message: Message) -> bytes:
    """The message as it goes over a pipe."""
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"


class Downstream:
    """One server, from its start on."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        self.name = name
        self.tools: list[Message] = []
        self._command = command
        self._pending: dict[int, Answered] = {}
        self._last = 0

    async def open(self) -> None:
        """Start it and learn its tools."""
        # A session of its own, as all hubs have it: Linux shares out the processors among sessions.
        self._process: Process = await asyncio.create_subprocess_exec(
            *self._command, stdin=PIPE, stdout=PIPE, limit=LARGEST_LINE, start_new_session=True
        )
        self._reader = asyncio.create_task(self._read())
        await self._ask("initialize", CLIENT)
        self._write({"jsonrpc": "2.0", "method": "notifications/initialized"})
        self.tools = (await self._ask("tools/list", {}))["result"]["tools"]

    async def close(self) -> None:
        """End it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        await self._process.wait()
        await self._reader

    def request(self, method: str, parameters: Message, answered: Answered) -> None:
        """Send a request; `answered` gets its answer."""
        self._last += 1
        self._pending[self._last] = answered
        self._write({"jsonrpc": "2.0", "id": self._last, "method": method, "params": parameters})

    async def _ask(self, method: str, parameters: Message) -> Message:
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self.request(method, parameters, answer.set_result)
        return await answer

    def _write(self, message: Message) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line_of(message))

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            message = json.loads(line)
            self._pending.pop(message["id"])(message)


class Front:
    """The hub as its host sees it: the tools of all servers, each named `<server>.<tool>`."""

    def __init__(self, servers: Mapping[str, Downstream]) -> None:
        self._servers = servers

    def handle(self, request: Message) -> None:
        """Answer a request, now or once the server that it is for has answered."""
        number = request.get("id")
        match request["method"]:
            case "tools/call":
                server, _, tool = request["params"]["name"].partition(".")
                parameters = {**request["params"], "name": tool}
                self._servers[server].request("tools/call", parameters, lambda answer: put({**answer, "id": number}))
            case "tools/list":
                tools = [
                    {**tool, "name": f"{server.name}.{tool['name']}"}
                    for server in self._servers.values()
                    for tool in server.tools
                ]
                put({"jsonrpc": "2.0", "id": number, "result": {"tools": tools}})
            case "initialize":
                version = request["params"]["protocolVersion"]
                information = {"name": "floor", "version": "1"}
                result: Message = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": information}
                put({"jsonrpc": "2.0", "id": number, "result": result})
            case _:
                pass


def put(message: Message) -> None:
    """Write a message to the host."""
    os.write(1, line_of(message))


async def opened(entries: Sequence[Mapping[str, Any]]) -> dict[str, Downstream]:
    """All servers, started side by side."""
    servers = {entry["name"]: Downstream(entry["name"], entry["command"]) for entry in entries}
    await asyncio.gather(*(server.open() for server in servers.values()))
    return servers


async def closed(servers: Mapping[str, Downstream]) -> None:
    """The end of all servers."""
    await asyncio.gather(*(server.close() for server in servers.values()))


async def start(entries: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Seconds until all servers are listed, and of CPU until all of it is over."""
    cpu, begin = cpu_with_children(), time.perf_counter()
    servers = await opened(entries)
    wall = time.perf_counter() - begin
    await closed(servers)
    return {"wall": wall, "cpu": cpu_with_children() - cpu}


async def serve(entries: Sequence[Mapping[str, Any]]) -> None:
    """Be a hub until the host hangs up."""
    servers = await opened(entries)
    front = Front(servers)
    reader = asyncio.StreamReader(LARGEST_LINE)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        front.handle(json.loads(line))
    await closed(servers)


async def main(entries: Sequence[Mapping[str, Any]], only_start: bool) -> None:
    """Serve, or print how long the start takes; one server before that has everything imported."""
    if only_start:
        await start(entries[:1])
        print(json.dumps(await start(entries)))
    else:
        await serve(entries)


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1]), "--start" in sys.argv[2:]))
