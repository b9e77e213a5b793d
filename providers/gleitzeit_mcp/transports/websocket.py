"""WebSocket: each text frame is one message, in both directions."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    ProxyError,
)
from websockets.typing import Subprotocol

from gleitzeit.core.errors import ConfigurationError, ConnectionLostError
from gleitzeit_mcp.transports.base import Message, Receiver, Transport
from gleitzeit_mcp.transports.breaks import unreachable
from gleitzeit_mcp.transports.client import CONNECT_LIMIT
from gleitzeit_mcp.transports.messages import LARGEST, deliver, encoded
from gleitzeit_mcp.transports.refusals import Refusal, not_let_in, seconds_of
from gleitzeit_mcp.transports.remote import Remote, shown_url

_CLOSE_LIMIT = 2.0
_PING_EVERY = 20.0
_PONG_WITHIN = 60.0  # a server that computes without a pause for a while is not dead yet
_TOO_BIG = 1009
_MEANINGS = {
    1000: "it closed the connection",
    1001: "it is going away",
    1006: "the connection broke",
    1008: "it does not allow the connection any longer",
    1011: "it failed",
    1012: "it is restarting",
    1013: "it has too much to do",
}


class _WithinUrl(connect):
    """A connection attempt that takes no redirect: headers with credentials were meant for one URL."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class WebSocketTransport(Transport):
    """A server that is reached by a WebSocket. Frames that are no messages are counted in `junk`."""

    def __init__(
        self,
        remote: Remote,
        headers: Mapping[str, str] | None = None,
        *,
        ping_every: float = _PING_EVERY,
        pong_within: float = _PONG_WITHIN,
    ) -> None:
        self.junk = 0
        self._remote = remote
        self._headers = headers or {}
        self._ping_every = ping_every
        self._pong_within = pong_within
        self._fault = ""

    def diagnosis(self) -> str:
        """Where it is, why it is gone, and how much of what it sent was no message."""
        junk = f"; {self.junk} frames were no messages" if self.junk else ""
        return f"its url is {self._remote.place}" + (f"; {self._fault}" if self._fault else "") + junk

    @asynccontextmanager
    async def connect(self, receiver: Receiver) -> AsyncGenerator[WebSocketWire]:
        """Open the socket; messages arrive for as long as it is open."""
        socket = await self._opened()
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._read, socket, receiver)
                try:
                    yield WebSocketWire(self._remote, socket)
                finally:
                    tasks.cancel_scope.cancel()
                    receiver.ended()
        finally:
            with anyio.move_on_after(2 * _CLOSE_LIMIT, shield=True):
                await socket.close()

    async def _opened(self) -> ClientConnection:
        try:
            return await _WithinUrl(
                self._remote.url,
                subprotocols=[Subprotocol("mcp")],
                additional_headers=dict(self._headers),
                max_size=LARGEST,
                open_timeout=CONNECT_LIMIT,
                close_timeout=_CLOSE_LIMIT,
                ping_interval=self._ping_every,
                ping_timeout=self._pong_within,
                ssl=self._trust(),
            )
        except InvalidStatus as error:
            raise not_let_in(self._remote, self._refusal(error)) from error
        except (InvalidURI, InvalidProxy) as error:
            raise ConfigurationError(
                f"{self._remote.subject}: {self._remote.place} is not the address of a WebSocket",
                hint="its url begins with ws:// or wss://, and a proxy in the environment with http://",
            ) from error
        except (InvalidHandshake, ProxyError, OSError, EOFError) as error:
            raise unreachable(self._remote, error) from error

    def _trust(self) -> ssl.SSLContext | None:
        """The same trust as for HTTP."""
        return httpx2.create_ssl_context() if self._remote.url.lower().startswith("wss:") else None

    def _refusal(self, error: InvalidStatus) -> Refusal:
        headers = error.response.headers
        location = headers.get("Location")
        return Refusal(
            status=error.response.status_code,
            retry_after=seconds_of(headers.get("Retry-After")),
            location=self._remote.redact(shown_url(location)) if location else None,
        )

    async def _read(self, socket: ClientConnection, receiver: Receiver) -> None:
        try:
            async for frame in socket:
                if not (isinstance(frame, str) and deliver(frame.encode("utf-8", "replace"), receiver)):
                    self.junk += 1
            self._fault = _MEANINGS[1000]
        except ConnectionClosed as error:
            self._fault = self._reason(error)
        except Exception as error:  # noqa: BLE001  # whatever one server sends, the connection ends in order
            self._fault = (
                f"what it sent could not be taken in: {self._remote.quoted(str(error)) or type(error).__name__}"
            )
        receiver.ended()

    def _reason(self, error: ConnectionClosed) -> str:
        if error.sent is not None and error.sent.code == _TOO_BIG and not error.rcvd_then_sent:
            return f"it sent a message of more than {LARGEST // 2**20} MiB"
        if error.sent is not None and "keepalive ping timeout" in error.sent.reason:
            return f"it did not answer a ping within {self._pong_within:g} seconds"
        if error.rcvd is None:
            return _MEANINGS[1006]
        code, words = error.rcvd.code, self._remote.quoted(error.rcvd.reason)
        meaning = "it does not take messages of that size" if code == _TOO_BIG else _MEANINGS.get(code, _MEANINGS[1000])
        return f"{meaning} (code {code})" + (f": {words}" if words else "")


class WebSocketWire:
    """One open socket."""

    def __init__(self, remote: Remote, socket: ClientConnection) -> None:
        self._remote = remote
        self._socket = socket

    async def send(self, message: Message, headers: Mapping[str, Any] | None = None) -> None:
        """Send one message. Raises `ConnectionLostError` where the socket is closed."""
        del headers  # they belong to HTTP
        try:
            await self._socket.send(encoded(message).decode())
        except ConnectionClosed as error:
            raise ConnectionLostError(
                "its WebSocket is closed", ambiguous=False, details={"server": self._remote.name}
            ) from error
