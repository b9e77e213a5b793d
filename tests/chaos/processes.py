"""Servers as processes of their own: started, asked, killed, stopped."""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import anyio
from anyio.abc import Process, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from tests.chaos.chaos_provider import WITNESS
from tests.chaos.witness import noticed

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.models import Failure

ROOT = Path(__file__).parents[2]
LONGEST_LINE = 1 << 24

Line = dict[str, Any]


class Gone(Exception):
    """The server ended before it answered."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a server is started with; all servers of a place share its files."""

    database: Path
    witness: Path
    options: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def argument(self) -> str:
        """The setup as the program takes it."""
        return json.dumps({"database": str(self.database), **self.options})


class Server:
    """One process; every request that it leaves open as it ends raises `Gone`."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._numbers = count(1)
        self._waiting: dict[int, MemoryObjectSendStream[Line]] = {}
        self._sending = anyio.Lock()
        self.ready = anyio.Event()
        self.gone = anyio.Event()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ask(self, op: str, **fields: Any) -> Any:
        """What it answers. Raises the error that it answers with, and `Gone`."""
        with self._request() as (number, receive):
            await self._send({"id": number, "op": op, **fields})
            return _result(await _next(receive))

    async def events(self, run_id: str, after: int = 0) -> AsyncGenerator[Line]:
        """The events that it tells of a run, until it ends them."""
        with self._request() as (number, receive):
            await self._send({"id": number, "op": "events", "run_id": run_id, "after": after})
            while "event" in (line := await _next(receive)):
                yield line["event"]
            _result(line)

    async def stop(self) -> None:
        """Have it do nothing at all, and return once it does."""
        self.signal(signal.SIGSTOP)
        await noticed(partial(_stopped, self.pid))

    def go_on(self) -> None:
        """Have it go on where it was stopped."""
        self.signal(signal.SIGCONT)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to this very process, if it is still there."""
        if self._process.returncode is None:
            os.kill(self.pid, number)

    async def kill(self) -> None:
        """End it without any warning, and return once it is gone."""
        self.signal(signal.SIGKILL)
        await self.gone.wait()

    async def leave(self) -> int:
        """Have it end in order; its exit code."""
        assert self._process.stdin is not None
        await self._process.stdin.aclose()
        await self.gone.wait()
        return self._process.returncode or 0

    async def read(self) -> None:
        """Deliver what it says until it ends."""
        assert self._process.stdout is not None
        stream = BufferedByteReceiveStream(self._process.stdout)
        try:
            while True:
                self._deliver(json.loads(await stream.receive_until(b"\n", LONGEST_LINE)))
        except (anyio.EndOfStream, anyio.IncompleteRead):
            await self._process.wait()
        finally:
            self.gone.set()
            for waiting in self._waiting.values():
                waiting.close()

    async def release(self) -> None:
        """End the process in any case, and close its streams."""
        with anyio.CancelScope(shield=True):
            self.signal(signal.SIGKILL)
            await self._process.aclose()

    def _deliver(self, line: Line) -> None:
        if "ready" in line:
            self.ready.set()
        elif line["id"] in self._waiting:
            self._waiting[line["id"]].send_nowait(line)

    @contextmanager
    def _request(self) -> Generator[tuple[int, MemoryObjectReceiveStream[Line]]]:
        if self.gone.is_set():
            raise Gone
        number = next(self._numbers)
        send, receive = anyio.create_memory_object_stream[Line](math.inf)
        with send, receive:
            self._waiting[number] = send
            try:
                yield number, receive
            finally:
                del self._waiting[number]

    async def _send(self, request: Line) -> None:
        assert self._process.stdin is not None
        try:
            async with self._sending:
                await self._process.stdin.send(json.dumps(request).encode() + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            raise Gone from None


class Fleet:
    """An async context manager that owns every server it starts: none outlives it."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.servers: list[Server] = []
        self._group: TaskGroup

    async def __aenter__(self) -> Self:
        self._group = await anyio.create_task_group().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        for server in self.servers:
            server.signal(signal.SIGKILL)
        return await self._group.__aexit__(kind, error, traceback)

    async def launch(self, **options: Any) -> Server:
        """A server that may not be ready yet; `wrapper` is a command that starts it."""
        wrapper = options.pop("wrapper", ())
        log = self.setup.witness.with_name(f"server-{len(self.servers) + 1}.log")
        setup = Setup(self.setup.database, self.setup.witness, {**self.setup.options, **options})
        with log.open("wb") as stderr:
            process = await anyio.open_process(
                [*wrapper, sys.executable, "-m", "tests.chaos.server", setup.argument],
                stdin=subprocess.PIPE,
                stderr=stderr,
                cwd=ROOT,
                env={**os.environ, WITNESS: str(setup.witness)},
            )
        server = Server(process)
        self.servers.append(server)
        self._group.start_soon(_live, server)
        return server

    async def start(self, **options: Any) -> Server:
        """A server that answers."""
        server = await self.launch(**options)
        await self.until_ready(server)
        return server

    async def start_several(self, number: int, **options: Any) -> list[Server]:
        """So many servers that answer, started at once."""
        servers = [await self.launch(**options) for _ in range(number)]
        for server in servers:
            await self.until_ready(server)
        return servers

    async def until_ready(self, server: Server) -> None:
        """Return once the server answers. Raises `AssertionError`, with what it wrote, where it ends instead."""
        async with anyio.create_task_group() as group:

            async def first(event: anyio.Event) -> None:
                await event.wait()
                group.cancel_scope.cancel()

            group.start_soon(first, server.ready)
            group.start_soon(first, server.gone)
        assert server.ready.is_set(), self.said(server)

    def said(self, server: Server) -> str:
        """What a server wrote to its standard error."""
        number = self.servers.index(server) + 1
        return self.setup.witness.with_name(f"server-{number}.log").read_text(encoding="utf-8", errors="replace")


def _stopped(pid: int) -> bool:
    statuses = [path.read_text(encoding="utf-8") for path in Path("/proc", str(pid), "task").glob("*/stat")]
    return all(status.rpartition(")")[2].split()[0] == "T" for status in statuses)


async def _live(server: Server) -> None:
    try:
        await server.read()
    finally:
        await server.release()


async def _next(receive: MemoryObjectReceiveStream[Line]) -> Line:
    try:
        return await receive.receive()
    except anyio.EndOfStream:
        raise Gone from None


def _result(line: Line) -> Any:
    if "error" in line:
        raise _error(line["error"])
    return line["result"]


def _error(answer: dict[str, Any]) -> GleitzeitError:
    return Failure(**answer).to_error()
