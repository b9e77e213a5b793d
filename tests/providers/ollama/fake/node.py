"""A small Ollama that says what the real one says, and whose models cost nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Self

import anyio
import anyio.lowlevel
from tests.providers.ollama.fake import library
from tests.providers.ollama.fake.answer import Answers, Asked, echo
from tests.providers.ollama.fake.connection import JSON_TYPE, TEXT_TYPE, Connection, Request, encoded
from tests.providers.ollama.fake.counters import Counters
from tests.providers.ollama.fake.embedding import embed
from tests.providers.ollama.fake.faults import MODEL_PATHS, Fault
from tests.providers.ollama.fake.generation import generate
from tests.providers.ollama.fake.model import FakeModel, catalog, tagged
from tests.providers.ollama.fake.refusals import BUSY, FIELDS, UNEXPECTED_END, RefusedError, body_of
from tests.providers.ollama.fake.runners import Runners
from tests.providers.ollama.fake.state import State

PAGE = b"<!DOCTYPE html><html><body><h1>It works!</h1></body></html>"
HTML_TYPE = "text/html; charset=utf-8"
_STEPS_OF_ACCEPTING = 3  # a server that closes within them leaves the connection open, with nobody at its end


class FakeOllama:
    """A node on loopback, for as long as its context lasts; `url` is where it listens.

    `models` are names or `FakeModel`s. `warm` are in memory from the start. The rest is as Ollama's own settings
    (OLLAMA_NUM_PARALLEL, OLLAMA_MAX_QUEUE, OLLAMA_MAX_LOADED_MODELS, OLLAMA_KEEP_ALIVE) and what the models need, in
    seconds. `state` may be changed while it runs; `counters` tell what it has seen.
    """

    def __init__(
        self,
        *models: FakeModel | str,
        version: str = "0.5.4",
        num_parallel: int = 1,
        max_queue: int = 512,
        max_loaded: int = 3,
        keep_alive: float = 300.0,
        load_seconds: float = 0.0,
        token_seconds: float = 0.0,
        prompt_seconds: float = 0.0,
        answers: Answers = echo,
        warm: Iterable[str] = (),
        pullable: Iterable[FakeModel | str] = (),
        port: int = 0,
    ) -> None:
        self.counters = Counters()
        runners = Runners(
            self.counters,
            num_parallel=num_parallel,
            max_queue=max_queue,
            max_loaded=max_loaded,
            load_seconds=load_seconds,
        )
        self.state = State(
            runners,
            self.counters,
            version=version,
            models=catalog(*models),
            pullable=catalog(*pullable),
            answers=answers,
            token_seconds=token_seconds,
            prompt_seconds=prompt_seconds,
            keep_alive=keep_alive,
        )
        for name in warm:
            runners.put(self.state.models[tagged(name)])
        self.port = port
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._is_up = False
        self._stack = AsyncExitStack()

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        self._group = await self._stack.enter_async_context(anyio.create_task_group())
        await self.up()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.down()
        self._group.cancel_scope.cancel()
        await self._stack.aclose()

    def fail(self, fault: Fault | None) -> None:
        """Have a fault from now on, or none any more."""
        self.state.fault = fault

    def install(self, *models: FakeModel | str) -> None:
        """Have these models as well, or in another revision."""
        self.state.models.update(catalog(*models))

    def remove(self, *names: str) -> None:
        """Have these models no more."""
        for name in names:
            del self.state.models[tagged(name)]
            self.state.runners.unload(tagged(name))

    async def up(self) -> None:
        """Listen, on the same port as before."""
        loop = asyncio.get_running_loop()
        self._is_up = True
        self._server = await loop.create_server(self._connection, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Be gone as a machine that loses its power: connections break, and no new ones are taken."""
        server, self._server = self._server, None
        if server is None:
            return
        self._is_up = False
        for connection in list(self._connections):
            connection.reset()
        asyncio.get_running_loop().remove_reader(server.sockets[0].fileno())
        for _ in range(_STEPS_OF_ACCEPTING):
            await anyio.lowlevel.checkpoint()
        server.close()
        await server.wait_closed()

    def _connection(self) -> Connection:
        connection = Connection(self._handle, self._group, self._closed)
        self._connections.add(connection)
        self.counters.connections += 1
        if not self._is_up:
            connection.reset()  # asyncio had accepted it before the node went down
        return connection

    def _closed(self, connection: Connection, busy: bool) -> None:
        self._connections.discard(connection)
        if busy:
            self.counters.cancelled += 1
            self.counters.tell()

    async def _handle(self, request: Request, connection: Connection) -> None:
        counters, path = self.counters, request.path
        counters.requests[path] += 1
        fault = self.state.fault if self.state.fault is not None and self.state.fault.strikes(path) else None
        connection.pace = fault.seconds if fault is not None and fault.kind == "slow" else 0.0
        if path in MODEL_PATHS:
            counters.in_flight += 1
            counters.peak = max(counters.peak, counters.in_flight)
        counters.tell()
        try:
            if fault is None or not await _fails_at_once(fault, connection, request):
                await self._answer(request, connection, fault)
                counters.answered += path in MODEL_PATHS
        except RefusedError as refused:
            await connection.answer(refused.status, JSON_TYPE, encoded({"error": refused.words}))
        finally:
            counters.in_flight -= path in MODEL_PATHS
            counters.tell()

    async def _answer(self, request: Request, connection: Connection, fault: Fault | None) -> None:
        if request.method == "POST" and request.path in FIELDS:
            body = body_of(request.path, request.content)
            asked = Asked(request.path, body)
            match request.path:
                case "/api/chat" | "/api/generate":
                    await generate(self.state, connection, asked, fault)
                case "/api/embed" | "/api/embeddings":
                    await embed(self.state, connection, asked)
                case "/api/show":
                    await library.show(self.state, connection, body)
                case _:
                    await library.pull(self.state, connection, body)
        elif request.method in ("GET", "HEAD"):
            await self._read(request, connection)
        else:
            await connection.answer(404, "text/plain", b"404 page not found")

    async def _read(self, request: Request, connection: Connection) -> None:
        head_only = request.method == "HEAD"
        answers: dict[str, Any] = {
            "/api/version": lambda: {"version": self.state.version},
            "/api/tags": lambda: library.tags(self.state),
            "/api/ps": lambda: library.ps(self.state),
            "/counters": self.counters.as_data,  # of ours, for whoever runs it as a process
        }
        if request.path == "/":
            await connection.answer(200, TEXT_TYPE, b"Ollama is running", head_only=head_only)
        elif (answer := answers.get(request.path)) is not None:
            await connection.answer(200, JSON_TYPE, encoded(answer()), head_only=head_only)
        else:
            await connection.answer(404, "text/plain", b"404 page not found", head_only=head_only)


async def _fails_at_once(fault: Fault, connection: Connection, request: Request) -> bool:
    """Answer as the fault has it, where it comes before all else."""
    match fault.kind:
        case "silent":
            await anyio.sleep_forever()
        case "closed":
            connection.close()
        case "html":
            await connection.answer(200, HTML_TYPE, PAGE)
        case "stranger":
            await connection.answer(404, HTML_TYPE, PAGE)
        case "busy":
            raise RefusedError(503, BUSY)
        case "broken":
            raise RefusedError(500, UNEXPECTED_END)
        case "missing":
            name = Asked(request.path, body_of(request.path, request.content)).body.get("model")
            raise RefusedError(404, f"model '{name}' not found")
        case _:
            return False
    return True
