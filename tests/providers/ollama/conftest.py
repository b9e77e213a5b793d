"""A server on loopback that sends byte for byte what a test wants to see answered, and the real ones."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from functools import partial
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketListener, SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream
from tests.providers.ollama.real.nodes import real_nodes

from gleitzeit.core.models import Run, Workflow
from gleitzeit.providers.base import TaskContext, enter_task

Script = Callable[[str, dict[str, Any], SocketStream], Awaitable[None]]
Report = tuple[float | None, float | None, str | None]
Serve = Callable[[Script], Awaitable[str]]


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Starts a server: the script gets each request's path and JSON body, and the stream to write to."""
    async with anyio.create_task_group() as group:

        async def start(script: Script) -> str:
            listener = (await anyio.create_tcp_listener(local_host="127.0.0.1")).listeners[0]
            assert isinstance(listener, SocketListener)
            group.start_soon(_listen, listener, script)
            return f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"

        yield start
        group.cancel_scope.cancel()


async def _listen(listener: SocketListener, script: Script) -> None:
    async with listener:
        await listener.serve(partial(_connection, script))


async def _connection(script: Script, stream: SocketStream) -> None:
    async with stream:
        reader = BufferedByteReceiveStream(stream)
        try:
            while True:
                head = (await reader.receive_until(b"\r\n\r\n", 65_536)).decode("ascii")
                size = next(
                    (int(line[15:]) for line in head.lower().split("\r\n") if line.startswith("content-length:")), 0
                )
                body = await reader.receive_exactly(size) if size else b"{}"
                await script(head.split(" ")[1], json.loads(body), stream)
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # the client hung up, or the script did


class Watcher:
    """Keeps the progress of a task."""

    def __init__(self) -> None:
        self.reports: list[Report] = []
        self.first = anyio.Event()

    async def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        """Keep one report."""
        self.reports.append((done, total, message))
        self.first.set()

    async def start_child(self, method: str, parameters: Any) -> Any:
        """Not for these tests."""
        raise NotImplementedError(method, parameters)

    async def start_workflow(self, workflow: Workflow, inputs: Any) -> Run:
        """Not for these tests."""
        raise NotImplementedError(workflow, inputs)

    async def ask(self, message: str, schema: Any, **_: Any) -> Any:
        """Not for these tests."""
        raise NotImplementedError(message, schema)


@pytest.fixture
async def watcher() -> Watcher:
    return Watcher()


@pytest.fixture
def reports(task: TaskContext, watcher: Watcher) -> list[Report]:
    """What the task has told of its progress: done, total, text."""
    return watcher.reports


@pytest.fixture
def first_token(task: TaskContext, watcher: Watcher) -> anyio.Event:
    """Is set once the task has told of its first token."""
    return watcher.first


@pytest.fixture
async def task(watcher: Watcher) -> AsyncIterator[TaskContext]:
    """The task that the test's calls belong to."""
    context = TaskContext(run_id="run", task_id="chat", support=watcher)
    leave = enter_task(context)
    yield context
    leave()


@pytest.fixture
def ollamas() -> Iterator[list[str]]:
    """The base URLs of two real Ollama servers that have smollm2:135m and gemma3:270m."""
    with real_nodes(2) as nodes:
        yield nodes


@pytest.fixture
def ollama(request: pytest.FixtureRequest) -> Iterator[str]:
    """That of one."""
    if "ollamas" in request.fixturenames:
        yield request.getfixturevalue("ollamas")[0]
        return
    with real_nodes(1) as nodes:
        yield nodes[0]
