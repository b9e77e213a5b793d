"""`HttpConnection`: one connection of a client, which is waited for only as long as it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 20.0
"""How long a client may take for the head of a request, and before its first."""

BODY_SECONDS = 20.0
"""How long it may take for the body, and a second more for each `BODY_RATE` bytes that have come."""

BODY_RATE = 1_024

UNWANTED_BYTES = 1 << 20
"""How much of a body may still come once the answer is out, so that its sender gets to read it."""

READ_SECONDS = 60.0
"""How long it may leave unread what fills the buffers on its way."""

_FULL = b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\nRetry-After: 1\r\n\r\n"
_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class HttpConnection(H11Protocol):
    """Takes no part in more than `most` connections, and leaves clients that dawdle, be it in asking or in reading.

    A client that reads nothing holds up its own request only: what is sent waits for it, and nothing piles up.
    """

    def __init__(self, *arguments: Any, most: int, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._most = most
        self._asking = _Timer(self.loop)
        self._reading = _Timer(self.loop)
        self._body_began = 0.0
        self._body_size = 0
        self._wanted = 0
        self._in_body = False
        self._answered = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin, where there is room."""
        super().connection_made(transport)
        if len(self.connections) > self._most:
            transport.write(_FULL)
            transport.close()
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._asking.stop()
        self._reading.stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what has come, unless the client was left already."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._body_size += len(data)
        if self._answered and self._body_size > self._wanted + UNWANTED_BYTES:
            self.transport.abort()
        self._go_on()

    def on_response_complete(self) -> None:
        """Go on with what has come meanwhile."""
        self._wanted, self._answered = self._body_size, True
        super().on_response_complete()
        self._go_on()

    def pause_writing(self) -> None:
        """Wait for the client to read."""
        super().pause_writing()
        self._reading.start(READ_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """The client reads."""
        super().resume_writing()
        self._reading.stop()

    def _go_on(self) -> None:
        """See what the client owes now: a head that it has begun, the rest of a body, or nothing."""
        state = self.conn.their_state
        in_body, self._in_body = self._in_body, state is h11.SEND_BODY and not self.transport.is_closing()
        if self._in_body:
            if not in_body:
                self._body_began, self._body_size, self._answered = self.loop.time(), 0, False
                self._asking.start(BODY_SECONDS, self._check_body)
        elif state is h11.IDLE and self.conn.trailing_data[0]:
            self._wait_for_head()
        else:
            self._asking.stop()

    def _wait_for_head(self) -> None:
        if not self._asking.runs:
            self._asking.start(HEAD_SECONDS, self._leave_late)

    def _check_body(self) -> None:
        rest = self._body_began + BODY_SECONDS + self._body_size / BODY_RATE - self.loop.time()
        if rest > 0 or self.flow.read_paused:  # it is for us to read where reading is paused
            self._asking.start(max(rest, 1.0), self._check_body)
        else:
            self.transport.abort()

    def _leave_late(self) -> None:
        self._asking.stop()
        if not self.transport.is_closing():
            self.transport.write(_LATE)
            self.transport.close()


class _Timer:
    """Calls something later, unless it is stopped or started once more before."""

    __slots__ = ("_handle", "_loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._handle: asyncio.TimerHandle | None = None

    @property
    def runs(self) -> bool:
        return self._handle is not None

    def start(self, seconds: float, then: Callable[[], None]) -> None:
        self.stop()
        self._handle = self._loop.call_later(seconds, then)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None
