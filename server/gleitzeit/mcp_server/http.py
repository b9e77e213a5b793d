"""Serving many hosts on one port of this machine: streamable HTTP at /mcp and SSE at /sse, one engine for all."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import uvicorn
from mcp.server import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from gleitzeit.core.errors import ConfigurationError
from gleitzeit.mcp_server.eras import serve_both_eras
from gleitzeit.mcp_server.face import Face, open_face
from gleitzeit.mcp_server.guard import Address, Guard
from gleitzeit.mcp_server.lazy_application import ApplicationFactory
from gleitzeit.mcp_server.server import build_server
from gleitzeit.mcp_server.signals import Ending, no_ending, told_to_stop
from gleitzeit.version import __version__

LARGEST_BODY = 24 * 1024 * 1024
_LAST_RESPONSES = 1
_IDLE_SESSION = 30 * 60
_MOST_SESSIONS = 1_000

Announce = Callable[[str], None]


def run_http(
    factory: ApplicationFactory, *, host: str, port: int, announce: Announce, ending: Ending = no_ending
) -> int:
    """Serve until SIGTERM or SIGINT, and return the process's exit code; `announce` is told the address.

    `ending` is called in the event loop as soon as the end begins, which a task that never gives up could prolong.

    Raises `ConfigurationError` for an address that is not this machine's own or that is taken, and whatever kept the
    application from opening.
    """
    listening = listen(host, port)
    anyio.run(serve_http, factory, listening, announce, told_to_stop, ending)
    return 0


def listen(host: str, port: int) -> socket.socket:
    """A socket at an address that only this machine reaches. Raises `ConfigurationError` for any other address."""
    address = _loopback(host)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
        listening.listen()
    except OSError as error:
        listening.close()
        raise ConfigurationError(
            f"cannot listen on {host}:{port}: {(error.strerror or str(error)).lower()}",
            hint="choose another port; 0 takes any that is free",
        ) from error
    return listening


async def serve_http(
    factory: ApplicationFactory,
    listening: socket.socket,
    announce: Announce,
    until: Callable[[], Awaitable[None]] = told_to_stop,
    ending: Ending = no_ending,
) -> None:
    """Serve on a bound socket until `until` returns; open connections are then ended within two seconds."""
    with listening:
        async with open_face(factory) as face:
            await _serve_until(face, listening, announce, until, ending)


async def _serve_until(
    face: Face,
    listening: socket.socket,
    announce: Announce,
    until: Callable[[], Awaitable[None]],
    ending: Ending,
) -> None:
    await face.application.opened()  # a configuration that is wrong ends the command, not the first call
    address = address_of(listening)
    async with asgi_app(face, address) as app:
        server = _Server(_settings(app))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_after, until, ending, app, server)
            await anyio.lowlevel.checkpoint()  # who hears the address may send a signal at once
            announce(str(address))
            await server.serve(sockets=[listening])
            tasks.cancel_scope.cancel()


def address_of(listening: socket.socket) -> Address:
    """The address of a bound socket."""
    host, port = listening.getsockname()[:2]
    return Address(f"[{host}]" if ":" in host else host, port)


@asynccontextmanager
async def asgi_app(face: Face, address: Address) -> AsyncGenerator[Guard]:
    """The application of all HTTP transports, for requests to `address`; ends sessions at its end."""
    server = build_server(face)
    manager = StreamableHTTPSessionManager(
        server,
        security_settings=address.settings,
        session_idle_timeout=_IDLE_SESSION,
        max_sessions=_MOST_SESSIONS,
        max_request_body_size=LARGEST_BODY,
    )
    sse = SseServerTransport("/messages/", address.settings, max_request_body_size=LARGEST_BODY)
    routes = [
        Route("/healthz", _healthy, methods=["GET"]),
        Route("/sse", _SseEndpoint(sse, server, face), methods=["GET"]),
        Mount("/messages/", app=sse.handle_post_message),
        Route("/mcp", manager.asgi_app),
    ]
    async with manager.run():
        yield Guard(Starlette(routes=routes), address)


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


async def _stop_after(until: Callable[[], Awaitable[None]], ending: Ending, app: Guard, server: _Server) -> None:
    await until()
    ending()
    app.end()
    server.should_exit = True


async def _healthy(_: Request) -> Response:
    return JSONResponse({"status": "ok", "version": __version__})


def _settings(app: Guard) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_RESPONSES,
    )


def _loopback(host: str) -> str:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
    except ValueError:
        address = None
    if address is None or not address.is_loopback:
        raise ConfigurationError(
            f"{host} is not an address of this machine alone, and this version has no tokens to keep strangers out",
            hint="listen on 127.0.0.1; tokens for other addresses come with a later version",
        )
    return str(address)
