"""Who may ask: requests that were meant for this server, from programs or from pages of its own."""

from __future__ import annotations

import anyio
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gleitzeit.mcp_server.address import Address

_LAST_STREAMS = 0.5
_LEFT: Message = {"type": "http.disconnect"}


class Guard:
    """Lets only requests through that were meant for this server, and can end all of them at once."""

    def __init__(self, app: ASGIApp, address: Address) -> None:
        self._app = app
        self._address = address
        self._open: set[anyio.CancelScope] = set()
        self._hearing: set[anyio.CancelScope] = set()
        self._ending = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; one that is ended early still gets the end of its response."""
        refusal = self._address.refusal(Request(scope))
        if refusal is None and self._ending.is_set():
            refusal = JSONResponse({"status": "unavailable", "reason": "stopping"}, 503, {"Connection": "close"})
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
        for hearing in self._hearing:
            hearing.cancel()

    def _until_ending(self, receive: Receive) -> Receive:
        async def receive_or_leave() -> Message:
            if self._ending.is_set():
                return dict(_LEFT)
            with anyio.CancelScope() as hearing:
                self._hearing.add(hearing)
                try:
                    return await receive()
                finally:
                    self._hearing.discard(hearing)
            return dict(_LEFT)

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
