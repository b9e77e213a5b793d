"""Serving many hosts on one port of this machine: streamable HTTP at /mcp and SSE at /sse, one engine for all."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import asynccontextmanager

import anyio
import uvicorn
from mcp.server import Server
from mcp.server.sse import SseServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gleitzeit.core.errors import ConfigurationError
from gleitzeit.mcp_server.eras import serve_both_eras
from gleitzeit.mcp_server.face import build_server
from gleitzeit.mcp_server.opening import ApplicationFactory, Opening, opening
from gleitzeit.mcp_server.signals import told_to_stop
from gleitzeit.version import __version__

LARGEST_BODY = 24 * 1024 * 1024
_NAMES = ("127.0.0.1", "localhost", "[::1]")
_LAST_RESPONSES = 1
_LAST_STREAMS = 0.5

Announce = Callable[[str], None]


def run_http(factory: ApplicationFactory, *, host: str, port: int, announce: Announce) -> int:
    """Serve until SIGTERM or SIGINT, and return the process's exit code; `announce` is told the address.

    Raises `ConfigurationError` for an address that is not this machine's own or that is taken, and whatever kept the
    application from opening.
    """
    listening = listen(host, port)
    anyio.run(serve_http, factory, listening, announce)
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
) -> None:
    """Serve on a bound socket until `until` returns; open connections are then ended within two seconds."""
    with listening:
        async with opening(factory) as state:
            await _serve(state, listening, announce, until)


async def _serve(
    state: Opening, listening: socket.socket, announce: Announce, until: Callable[[], Awaitable[None]]
) -> None:
    await state.application()  # a configuration that is wrong ends the command, not the first call
    async with asgi_app(state, [_host_of(listening)]) as app:
        server = _Server(_settings(app))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_stop_after, until, app, server)
            announce(address_of(listening))
            await server.serve(sockets=[listening])
            tasks.cancel_scope.cancel()


def address_of(listening: socket.socket) -> str:
    """The URL of a bound socket."""
    return f"http://{_host_of(listening)}:{listening.getsockname()[1]}"


@asynccontextmanager
async def asgi_app(state: Opening, names: Sequence[str] = ()) -> AsyncGenerator[Guard]:
    """The application of all HTTP transports, for requests to this machine or to `names`; ends sessions at its end."""
    server = build_server(state)
    security = _security((*_NAMES, *names))
    manager = StreamableHTTPSessionManager(server, security_settings=security, max_request_body_size=LARGEST_BODY)
    sse = SseServerTransport("/messages/", security, max_request_body_size=LARGEST_BODY)
    routes = [
        Route("/healthz", _healthy, methods=["GET"]),
        Route("/sse", _SseEndpoint(sse, server, state), methods=["GET"]),
        Mount("/messages/", app=sse.handle_post_message),
        Route("/mcp", manager.asgi_app),
    ]
    async with manager.run():
        yield Guard(Starlette(routes=routes), TransportSecurityMiddleware(security))


class Guard:
    """Lets only requests through that were meant for this server, and can end all of them at once."""

    def __init__(self, app: ASGIApp, security: TransportSecurityMiddleware) -> None:
        self._app = app
        self._security = security
        self._open: set[anyio.CancelScope] = set()
        self._ending = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; one that is ended early still gets the end of its response."""
        refusal = await self._security.validate_request(Request(scope))
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        response = _Response(send)
        with anyio.CancelScope() as request:
            self._open.add(request)
            try:
                await self._app(scope, self._until_ending(receive), response.send)
            finally:
                self._open.discard(request)
        if self._ending.is_set():
            await response.end()

    def end(self) -> None:
        """End all requests, such as streams that would stay open for ever: first as if their clients had left."""
        self._ending.set()
        for request in self._open:
            request.deadline = anyio.current_time() + _LAST_STREAMS

    def _until_ending(self, receive: Receive) -> Receive:
        async def receive_or_leave() -> Message:
            message: Message = {"type": "http.disconnect"}

            async def take() -> None:
                nonlocal message
                message = await receive()
                race.cancel_scope.cancel()

            async with anyio.create_task_group() as race:
                race.start_soon(take)
                await self._ending.wait()
                race.cancel_scope.cancel()
            return message

        return receive_or_leave


class _Response:
    """One response on its way, so that it can be ended properly at any point."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._started = False
        self._ended = False

    async def send(self, message: Message) -> None:
        self._started = True
        self._ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def end(self) -> None:
        if not self._started:
            await self.send({"type": "http.response.start", "status": 503, "headers": []})
        if not self._ended:
            await self.send({"type": "http.response.body", "body": b""})


class _SseEndpoint:
    """One SSE connection after another, each in whatever eras its requests speak."""

    def __init__(self, transport: SseServerTransport, server: Server[Opening], state: Opening) -> None:
        self._transport = transport
        self._server = server
        self._state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._transport.connect_sse(scope, receive, send) as (read, write):
            await serve_both_eras(self._server, read, write, lifespan_state=self._state)


class _Server(uvicorn.Server):
    """A server that leaves signals to us: ours end the open streams first, for which it would wait."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Capture none."""
        yield


async def _stop_after(until: Callable[[], Awaitable[None]], app: Guard, server: _Server) -> None:
    await until()
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


def _security(names: Sequence[str]) -> TransportSecuritySettings:
    return TransportSecuritySettings(
        enable_dns_rebinding_protection=True,
        allowed_hosts=[f"{name}{port}" for name in names for port in ("", ":*")],
        allowed_origins=[f"http://{name}{port}" for name in names for port in ("", ":*")],
    )


def _host_of(listening: socket.socket) -> str:
    host: str = listening.getsockname()[0]
    return f"[{host}]" if ":" in host else host


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
