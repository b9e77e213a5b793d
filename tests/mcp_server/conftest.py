from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, cast

import anyio
import httpx2
import mcp_types as types
import pytest
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from tests.ways import some

from gleitzeit.application import Application, open_application
from gleitzeit.config import load_configuration
from gleitzeit.mcp_server.access.tokens import hash_of, new_token
from gleitzeit.mcp_server.address import listen
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.http import serve_http
from gleitzeit.mcp_server.server import build_server
from gleitzeit.mcp_server.stdio import serve_wire
from gleitzeit.mcp_server.wire import FrameReader, FrameWriter, Wire, open_frames
from gleitzeit.registry import ProtocolProviderRegistry

Mode = Literal["auto", "legacy"]
Transport = Literal["memory", "pipes", "stdio", "sse", "http"]
Streams = tuple[FrameReader, FrameWriter]
Connect = Callable[..., AbstractAsyncContextManager[Client]]

HERE = Path(__file__).parent
SERVE = [sys.executable, "-c", "import sys; from gleitzeit.cli import serve_stdio; sys.exit(serve_stdio())"]


def load_probe() -> ModuleType:
    spec = importlib.util.spec_from_file_location("probe_in_process", HERE / "probe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


PROBE = load_probe()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of a Gleitzeit that has the probe provider."""
    folder = tmp_path / "home"
    (folder / "files").mkdir(parents=True)
    (folder / "config.yaml").write_text(f"providers:\n  modules: [probe]\n  path: ['{HERE}']\n", encoding="utf-8")
    return folder


@pytest.fixture
def environment(home: Path) -> dict[str, str]:
    return {**os.environ, "GLEITZEIT_HOME": str(home), "PYTHONDONTWRITEBYTECODE": "1"}


@pytest.fixture
def factory(home: Path) -> Callable[[], AbstractAsyncContextManager[Application]]:
    def build() -> AbstractAsyncContextManager[Application]:
        registry = ProtocolProviderRegistry()
        PROBE.register(registry)
        config = load_configuration(environ={"GLEITZEIT_HOME": str(home), "GLEITZEIT_PROVIDERS__MODULES": "[]"})
        return open_application(config, registry=registry)

    return build


EACH_WAY: list[tuple[Transport, Mode]] = [
    ("memory", "auto"),
    ("pipes", "legacy"),  # what stdio is, though in this process; `test_one_pipe` has the process around it
    ("sse", "legacy"),
    ("http", "auto"),
]
ALL_WAYS: list[tuple[Transport, Mode]] = [
    *EACH_WAY,
    ("memory", "legacy"),
    ("pipes", "auto"),
    ("stdio", "auto"),
    ("stdio", "legacy"),
    ("sse", "auto"),
    ("http", "legacy"),
]


@pytest.fixture(params=some(EACH_WAY, ALL_WAYS), ids="-".join)
def way(request: pytest.FixtureRequest) -> tuple[Transport, Mode]:
    """Each transport and each era; all pairs of them where the environment asks for that."""
    return cast("tuple[Transport, Mode]", request.param)


@pytest.fixture
def transport(way: tuple[Transport, Mode]) -> Transport:
    return way[0]


@pytest.fixture
def mode(way: tuple[Transport, Mode]) -> Mode:
    return way[1]


@pytest.fixture
def connect(
    transport: Transport,
    mode: Mode,
    factory: Callable[[], AbstractAsyncContextManager[Application]],
    environment: dict[str, str],
) -> Connect:
    """A client of a fresh server, over each transport and in each era; it takes further options of the client."""

    @asynccontextmanager
    async def connected(**options: Any) -> AsyncGenerator[Client]:
        options = {"mode": mode, "cache": None, **options}
        if transport == "memory":
            async with open_face(factory) as face, Client(build_server(face), **options) as client:
                yield client
        elif transport == "pipes":
            async with Client(over_pipes(factory), **options) as client:
                yield client
        elif transport == "stdio":
            parameters = StdioServerParameters(command=SERVE[0], args=SERVE[1:], env=environment)
            async with Client(parameters, **options) as client:
                yield client
        else:
            async with served(factory) as url:
                target = sse_client(f"{url}/sse") if transport == "sse" else f"{url}/mcp"
                async with Client(target, **options) as client:
                    yield client

    return connected


@asynccontextmanager
async def over_pipes(factory: Callable[[], AbstractAsyncContextManager[Application]]) -> AsyncGenerator[Streams]:
    """The host's end of pipes, at the other end of which a server takes them for standard input and output."""
    given, sink = os.pipe()
    source, taken = os.pipe()
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(serve_wire, factory, Wire(given, taken))
            async with open_frames(Wire(source, sink)) as frames:
                yield frames.read, frames.write
            os.close(sink)
    finally:
        for descriptor in (given, source, taken):
            os.close(descriptor)


@asynccontextmanager
async def served(factory: Callable[[], AbstractAsyncContextManager[Application]]) -> AsyncGenerator[str]:
    """The URL of a server of all HTTP transports."""
    stop = anyio.Event()
    listening = listen("127.0.0.1", 0)
    urls: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve_http, factory, listening, urls.append, stop.wait)
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            stop.set()


@pytest.fixture
def serving(
    factory: Callable[[], AbstractAsyncContextManager[Application]],
) -> Callable[[], AbstractAsyncContextManager[str]]:
    return lambda: served(factory)


class Guarded:
    """A server that wants tokens, and who has one: alice and bob may do all but everything, root may that."""

    def __init__(self, url: str, tokens: Mapping[str, str]) -> None:
        self.url = url
        self.tokens = tokens

    def headers(self, name: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens[name]}"}

    def http(self, name: str) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(headers=self.headers(name), base_url=self.url, timeout=httpx2.Timeout(20))

    @asynccontextmanager
    async def client(self, name: str, mode: Mode = "auto", transport: str = "http") -> AsyncGenerator[Client]:
        if transport == "sse":
            async with Client(sse_client(f"{self.url}/sse", self.headers(name)), mode=mode, cache=None) as client:
                yield client
            return
        async with self.http(name) as http:
            over = streamable_http_client(f"{self.url}/mcp", http_client=http)
            async with Client(over, mode=mode, cache=None) as client:
                yield client


SCOPES: Mapping[str, list[str]] = {
    "alice": ["workflows:read", "workflows:run", "workflows:write"],
    "bob": ["workflows:read", "workflows:run", "workflows:write"],
    "root": ["admin"],
    "reader": ["workflows:read"],
    "runner": ["workflows:read", "workflows:run"],
    "writer": ["workflows:write"],
}


@asynccontextmanager
async def guarded_server(home: Path, **settings: Any) -> AsyncGenerator[Guarded]:
    """A server with a token for each of `SCOPES`; further keys of its configuration with `__` for their dots."""
    tokens = {name: new_token() for name in SCOPES}
    entries = [{"name": name, "hash": hash_of(token), "scopes": SCOPES[name]} for name, token in tokens.items()]
    keys = {"server.tokens": entries, **{key.replace("__", "."): value for key, value in settings.items()}}

    def build() -> AbstractAsyncContextManager[Application]:
        registry = ProtocolProviderRegistry()
        PROBE.register(registry)
        environ = {"GLEITZEIT_HOME": str(home), "GLEITZEIT_PROVIDERS__MODULES": "[]"}
        return open_application(load_configuration(environ=environ, overrides=keys), registry=registry)

    async with served(build) as url:
        yield Guarded(url, tokens)


@pytest.fixture
def guarded(home: Path) -> Callable[..., AbstractAsyncContextManager[Guarded]]:
    return partial(guarded_server, home)


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))
