"""Who may ask: requests that were meant for this server, from programs or from pages of its own."""

from __future__ import annotations

import re
from dataclasses import dataclass

import anyio
from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_NAMES = ("127.0.0.1", "localhost", "[::1]")
_LAST_STREAMS = 0.5


@dataclass(frozen=True, slots=True)
class Address:
    """Where the server listens. A page that reaches it under another name, or comes from elsewhere, is refused."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def names(self) -> tuple[str, ...]:
        """The names that this machine has for itself."""
        return (*_NAMES, self.host)

    @property
    def origins(self) -> list[str]:
        """The origins of its own pages."""
        return [f"http://{name}:{self.port}" for name in self.names]

    @property
    def settings(self) -> TransportSecuritySettings:
        """The same for the SDK, which checks again what comes through; any port, as a tunnel may have another."""
        hosts = [f"{name}{port}" for name in self.names for port in ("", ":*")]
        return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=self.origins)

    def refusal(self, request: Request) -> Response | None:
        """Why a request is not let through, if it is not."""
        names = "|".join(re.escape(name) for name in self.names)
        if not re.fullmatch(rf"({names})(:[0-9]{{1,5}})?", request.headers.get("host", ""), re.IGNORECASE):
            return PlainTextResponse("this server goes by other names", status_code=421)
        if any(origin not in self.origins for origin in request.headers.getlist("origin")):
            return PlainTextResponse("pages of other origins are not served", status_code=403)
        return None


class Guard:
    """Lets only requests through that were meant for this server, and can end all of them at once."""

    def __init__(self, app: ASGIApp, address: Address) -> None:
        self._app = app
        self._address = address
        self._open: set[anyio.CancelScope] = set()
        self._ending = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; one that is ended early still gets the end of its response."""
        refusal = self._address.refusal(Request(scope))
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
