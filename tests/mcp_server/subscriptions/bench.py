"""A server of ours whose lists and resources change when a test says so, over each transport."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal

import anyio
import mcp_types as types
from mcp import Client
from mcp.client.sse import sse_client
from mcp.server import Server, ServerRequestContext
from mcp.server.subscriptions import ServerEvent
from mcp.shared.message import SessionMessage

from gleitzeit.application import Application
from gleitzeit.mcp_server.address import listen
from gleitzeit.mcp_server.dual_era import DualEraServer
from gleitzeit.mcp_server.eras import serve_both_eras
from gleitzeit.mcp_server.face import Face, open_face
from gleitzeit.mcp_server.http import serve_http
from gleitzeit.mcp_server.subscriptions.serving import serve_subscriptions

Factory = Callable[[], AbstractAsyncContextManager[Application]]
Transport = Literal["memory", "lanes", "sse", "http"]
Context = ServerRequestContext[Any, Any]


class Bench:
    """What a test changes, and whether anybody looks."""

    def __init__(self) -> None:
        self._faces: list[Face] = []
        self._ticks: dict[str, list[anyio.Event]] = {}
        self._looking = anyio.Event()
        self._stopped = anyio.Event()

    def build(self, face: Face) -> Server[Face]:
        self._faces.append(face)
        server = DualEraServer[Any]("bench", on_list_tools=_no_tools, on_list_resources=_no_resources)
        serve_subscriptions(server, face.changes, self._watch)
        return server

    async def publish(self, event: ServerEvent) -> None:
        await self._faces[-1].changes.publish(event)

    async def end(self) -> None:
        await self._faces[-1].changes.end()

    def stop(self) -> None:
        """Have the server stop."""
        self._stopped.set()

    async def stopped(self) -> None:
        await self._stopped.wait()

    async def watched(self, uri: str) -> None:
        """Return once somebody watches a resource."""
        while not self._ticks.get(uri):
            self._looking = anyio.Event()
            await self._looking.wait()

    async def unwatched(self, uri: str) -> None:
        """Return once nobody watches a resource."""
        while self._ticks.get(uri):
            self._looking = anyio.Event()
            await self._looking.wait()

    def tick(self, uri: str) -> None:
        """Have a resource change."""
        for event in self._ticks[uri]:
            event.set()

    async def _watch(self, _: Context, uri: str) -> AsyncIterator[None]:
        tick = anyio.Event()
        self._ticks.setdefault(uri, []).append(tick)
        self._looking.set()
        try:
            await tick.wait()
            yield
        finally:
            self._ticks[uri].remove(tick)
            self._looking.set()


async def subscribe(client: Client, uri: str) -> None:
    request = types.SubscribeRequest(params=types.SubscribeRequestParams(uri=uri))
    await client.session.send_request(request, types.EmptyResult)


async def unsubscribe(client: Client, uri: str) -> None:
    request = types.UnsubscribeRequest(params=types.UnsubscribeRequestParams(uri=uri))
    await client.session.send_request(request, types.EmptyResult)


@asynccontextmanager
async def connected(bench: Bench, factory: Factory, transport: Transport, **options: Any) -> AsyncGenerator[Client]:
    """A client of a fresh server."""
    options = {"cache": None, **options}
    if transport == "memory":
        async with open_face(factory) as face, Client(bench.build(face), **options) as client:
            yield client
    elif transport == "lanes":
        async with open_face(factory) as face, Client(_lanes(bench.build(face), face), **options) as client:
            yield client
    else:
        async with served(bench, factory) as url:
            target = sse_client(f"{url}/sse") if transport == "sse" else f"{url}/mcp"
            async with Client(target, **options) as client:
                yield client


@asynccontextmanager
async def served(bench: Bench, factory: Factory) -> AsyncGenerator[str]:
    """The URL of a server of all HTTP transports."""
    listening = listen("127.0.0.1", 0)
    urls: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: serve_http(factory, listening, urls.append, bench.stopped, build=bench.build))
        try:
            yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            bench.stop()


@asynccontextmanager
async def _lanes(server: Server[Face], face: Face) -> AsyncGenerator[Any]:
    """Both eras over one pair of streams, as pipes and SSE have them."""
    up, taken = anyio.create_memory_object_stream[SessionMessage | Exception](0)
    given, down = anyio.create_memory_object_stream[SessionMessage](0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(lambda: serve_both_eras(server, taken, given, lifespan_state=face))
        async with up, down:
            yield down, up


async def _no_tools(_: Context, __: types.PaginatedRequestParams | None) -> types.ListToolsResult:
    return types.ListToolsResult(tools=[], ttl_ms=0, cache_scope="public")


async def _no_resources(_: Context, __: types.PaginatedRequestParams | None) -> types.ListResourcesResult:
    return types.ListResourcesResult(resources=[], ttl_ms=0, cache_scope="private")
