"""Serving many hosts on one port: streamable HTTP at /mcp and SSE at /sse, one engine for all."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import cast

import anyio
import anyio.lowlevel
import uvicorn
from mcp.server import Server
from mcp.server.sse import SseServerTransport
from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from gleitzeit.config import Configuration
from gleitzeit.mcp_server.access.allowance import Bounds
from gleitzeit.mcp_server.access.gate import Gate
from gleitzeit.mcp_server.access.tokens import Tokens
from gleitzeit.mcp_server.address import LARGEST_HEAD, Address, address_of, listen, unguarded
from gleitzeit.mcp_server.bodies import Bodies
from gleitzeit.mcp_server.eras import serve_both_eras
from gleitzeit.mcp_server.event_loop import run
from gleitzeit.mcp_server.face import Face, open_face
from gleitzeit.mcp_server.guard import Guard
from gleitzeit.mcp_server.health import PATHS, health_routes
from gleitzeit.mcp_server.http_connection import HttpConnection
from gleitzeit.mcp_server.lazy_application import ApplicationFactory
from gleitzeit.mcp_server.server import build_server
from gleitzeit.mcp_server.sessions import LARGEST_BODY, UNCHECKED, Sessions
from gleitzeit.mcp_server.signals import Ending, no_ending, told_to_stop

_LAST_RESPONSES = 1

Announce = Callable[[str], None]
Build = Callable[[Face], Server[Face]]


def run_http(
    factory: ApplicationFactory,
    *,
    host: str,
    port: int,
    announce: Announce,
    ending: Ending = no_ending,
    guarded: bool = False,
) -> int:
    """Serve until SIGTERM or SIGINT, and return the process's exit code; `announce` is told the address.

    `ending` is called in the event loop as soon as the end begins, which a task that never gives up could prolong.

    Raises `ConfigurationError` for an address that others reach unless it is `guarded` by tokens, and for one that is
    taken, and whatever kept the application from opening.
    """
    listening = listen(host, port, guarded=guarded)
    run(serve_http, factory, listening, announce, told_to_stop, ending)
    return 0


async def serve_http(
    factory: ApplicationFactory,
    listening: socket.socket,
    announce: Announce,
    until: Callable[[], Awaitable[None]] = told_to_stop,
    ending: Ending = no_ending,
    build: Build = build_server,
) -> None:
    """Serve on a bound socket until `until` returns; open connections are then ended within two seconds.

    `build` makes the server that answers what comes over any of the transports.
    """
    with listening:
        async with open_face(factory) as face:
            await _serve_until(face, listening, announce, until, ending, build)


async def _serve_until(
    face: Face,
    listening: socket.socket,
    announce: Announce,
    until: Callable[[], Awaitable[None]],
    ending: Ending,
    build: Build,
) -> None:
    # A configuration that is wrong ends the command, not the first call.
    config = (await face.application.opened()).config
    address = address_of(listening, config.server.allowed_hosts, config.server.allowed_origins)
    if not (address.local or config.server.tokens):
        raise unguarded(address.host)
    async with asgi_app(face, address, build(face), config) as app:
        server = _Server(_settings(app, config.limits.connections))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_after, until, ending, face, app, server)
            await anyio.lowlevel.checkpoint()  # who hears the address may send a signal at once
            announce(str(address))
            await server.serve(sockets=[listening])
            tasks.cancel_scope.cancel()


@asynccontextmanager
async def asgi_app(face: Face, address: Address, server: Server[Face], config: Configuration) -> AsyncGenerator[Guard]:
    """The application of all HTTP transports, for requests to `address`; ends sessions at its end."""
    limits = config.limits
    sessions = Sessions(server, limits.caller_sessions)
    sse = SseServerTransport("/messages/", UNCHECKED, max_request_body_size=LARGEST_BODY)
    routes = [
        *health_routes(face.application),
        Route("/sse", _SseEndpoint(sse, server, face), methods=["GET"]),
        Mount("/messages/", app=sse.handle_post_message),
        Route("/mcp", sessions.asgi_app),
    ]
    bounds = Bounds(limits.caller_requests, limits.caller_rate)
    app: ASGIApp = Gate(
        Bodies(Starlette(routes=routes), LARGEST_BODY), Tokens(config.server.tokens), bounds, unguarded=PATHS
    )
    async with sessions.run():
        yield Guard(_shared(app, address.pages) if address.pages else app, address)


def _shared(app: ASGIApp, pages: Sequence[str]) -> ASGIApp:
    """The same, for browsers to let pages of these origins read its answers."""
    return CORSMiddleware(
        app,
        allow_origins=pages,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["*"],
        expose_headers=["Mcp-Session-Id", "WWW-Authenticate", "Retry-After"],
    )


class _SseEndpoint:
    """One SSE connection after another, each in whatever eras its requests speak."""

    def __init__(self, transport: SseServerTransport, server: Server[Face], face: Face) -> None:
        self._transport = transport
        self._server = server
        self._face = face

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._transport.connect_sse(scope, receive, send) as (read, write):
            await serve_both_eras(self._server, read, write, lifespan_state=self._face)


class _Server(uvicorn.Server):
    """A server that leaves signals to us: ours end the open streams first, for which it would wait."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


async def _stop_after(
    until: Callable[[], Awaitable[None]], ending: Ending, face: Face, app: Guard, server: _Server
) -> None:
    await until()
    ending()
    await face.changes.end()
    app.end()
    server.should_exit = True


def _settings(app: Guard, connections: int) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=cast("type[HttpConnection]", partial(HttpConnection, most=connections)),
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="error",  # what strangers send is no news
        access_log=False,
        proxy_headers=False,  # any client could say that it is another one, and the audit would believe it
        server_header=False,
        h11_max_incomplete_event_size=LARGEST_HEAD,
        timeout_graceful_shutdown=_LAST_RESPONSES,
    )
