"""HTTP/1.1 as Go's server speaks it, as little of it as Ollama needs."""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

import anyio
from anyio.abc import TaskGroup

JSON_TYPE = "application/json; charset=utf-8"
TEXT_TYPE = "text/plain; charset=utf-8"
LINES_TYPE = "application/x-ndjson"
_WHOLE = 2048  # Go sends what is longer in chunks
_REASONS = {400: "Bad Request", 499: "status code 499"}


@dataclass(frozen=True, slots=True)
class Request:
    """One request: its path without the query, and its body as it came."""

    method: str
    path: str
    content: bytes


Handler = Callable[[Request, "Connection"], Awaitable[None]]


class Connection(asyncio.Protocol):
    """One connection: its requests are handled one after the other, and cancelled when the other side hangs up.

    `pace` is how many seconds each byte takes, where that is not nought. A protocol of asyncio and no stream of anyio,
    for only its transport can reset a connection.
    """

    def __init__(self, handler: Handler, group: TaskGroup, closed: Callable[[Connection, bool], None]) -> None:
        self.pace = 0.0
        self._handler = handler
        self._group = group
        self._closed = closed
        self._buffer = bytearray()
        self._scope: anyio.CancelScope | None = None
        self._transport: asyncio.Transport | None = None
        self._broken = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        if self._broken:
            self.reset()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._next()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._closed(self, self._scope is not None)
        if self._scope is not None:
            self._scope.cancel()

    async def send(self, data: bytes) -> None:
        """Send at once, or as slowly as `pace` says; nothing where nobody listens any more."""
        if not self.pace:
            if self._transport is not None:
                self._transport.write(data)
            return
        for at in range(len(data)):
            if self._transport is None:
                return
            self._transport.write(data[at : at + 1])
            await anyio.sleep(self.pace)

    async def answer(self, status: int, kind: str, body: bytes, *, head_only: bool = False) -> None:
        """A whole answer."""
        if len(body) > _WHOLE and not head_only:
            chunk = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
            await self.send(_head(status, kind, "Transfer-Encoding: chunked") + chunk)
            return
        await self.send(_head(status, kind, f"Content-Length: {len(body)}") + (b"" if head_only else body))

    async def begin(self) -> None:
        """The head of an answer of lines."""
        await self.send(_head(200, LINES_TYPE, "Transfer-Encoding: chunked"))

    async def line(self, value: Any) -> None:
        """One line of it."""
        data = encoded(value) + b"\n"
        await self.send(b"%x\r\n%s\r\n" % (len(data), data))

    async def end(self) -> None:
        """Its end."""
        await self.send(b"0\r\n\r\n")

    def close(self) -> None:
        """Hang up in peace."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Break the connection, also one that is just being made: the other side sees a reset."""
        self._broken = True
        if self._transport is not None:
            endpoint: socket.socket = self._transport.get_extra_info("socket")
            endpoint.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def _next(self) -> None:
        if self._scope is not None or (request := self._read()) is None:
            return
        self._scope = anyio.CancelScope()
        self._group.start_soon(self._handle, request, self._scope)

    async def _handle(self, request: Request, scope: anyio.CancelScope) -> None:
        with scope:
            await self._handler(request, self)
        self._scope = None
        self._next()

    def _read(self) -> Request | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self._buffer[:end].decode("latin-1").split("\r\n")
        size = next((int(line[15:]) for line in head if line.lower().startswith("content-length:")), 0)
        if len(self._buffer) < end + 4 + size:
            return None
        content = bytes(self._buffer[end + 4 : end + 4 + size])
        del self._buffer[: end + 4 + size]
        method, target, _ = head[0].split(" ")
        return Request(method, target.partition("?")[0], content)


def _head(status: int, kind: str, framing: str) -> bytes:
    reason = _REASONS.get(status) or HTTPStatus(status).phrase
    date = formatdate(usegmt=True)
    return f"HTTP/1.1 {status} {reason}\r\nContent-Type: {kind}\r\nDate: {date}\r\n{framing}\r\n\r\n".encode()


def encoded(value: Any) -> bytes:
    """JSON as Go writes it: no spaces, and nothing that could be HTML."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for mark in "<>&":
        if mark in text:
            text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text.encode()
