"""The requests of one connection that have no answer yet, told by what comes and goes on it."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import AsyncIterator
from typing import Protocol

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.shared.dispatcher import coerce_request_id
from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse, RequestId

from gleitzeit.mcp_server.frames import MalformedFrameError

logger = logging.getLogger(__name__)

Frame = SessionMessage | Exception

_LAST_ANSWERS = 0.5
_ENDLESS = "subscriptions/listen"


class Incoming(Protocol):
    """The frames of one connection; `last_context`, where there is one, is that of the last frame's sender."""

    def __aiter__(self) -> AsyncIterator[Frame]: ...

    async def aclose(self) -> None:
        """Take no more."""
        ...


class Outgoing(Protocol):
    """The way back to the other side of one connection."""

    async def send(self, item: SessionMessage, /) -> None:
        """Hand over one message."""
        ...

    async def aclose(self) -> None:
        """Send no more."""
        ...


class OpenRequests:
    """Which requests have no answer yet, and which of them go on until something ends them."""

    def __init__(self) -> None:
        self._open: set[RequestId] = set()
        self._endless: set[RequestId] = set()
        self._changed: anyio.Event | None = None

    def note(self, message: JSONRPCMessage) -> None:
        """Remember a request that has come, and forget one that is cancelled."""
        if isinstance(message, JSONRPCRequest):
            request_id = coerce_request_id(message.id)
            self._open.add(request_id)
            if message.method == _ENDLESS:
                self._endless.add(request_id)
        elif isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            cancelled = cancelled_request_id_from_params(message.params)
            if cancelled is not None:
                self.settle(cancelled)

    def settle(self, request_id: RequestId) -> None:
        """Forget a request, which has its answer or needs none."""
        request_id = coerce_request_id(request_id)
        self._open.discard(request_id)
        self._endless.discard(request_id)
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    def __contains__(self, request_id: RequestId) -> bool:
        return coerce_request_id(request_id) in self._open

    async def settled(self) -> None:
        """Return once no request is open but those that are answered when their client leaves."""
        while not self._open <= self._endless:
            await self._change()

    async def unheard(self) -> None:
        """Return once no request is open that goes on until something ends it."""
        while self._endless:
            await self._change()

    async def _change(self) -> None:
        self._changed = self._changed or anyio.Event()
        await self._changed.wait()


class Asked(ObjectReceiveStream[Frame]):
    """What comes in; its end is told only once all that was asked has been answered, or had a while for it.

    Who writes requests and closes still wants the answers. A frame that is no message is answered here.
    """

    def __init__(self, read: Incoming, write: Outgoing, requests: OpenRequests) -> None:
        self._read = read
        self._frames = aiter(read)
        self._write = write
        self._requests = requests

    @property
    def last_context(self) -> contextvars.Context | None:
        """That of the last frame's sender, where the connection knows it."""
        return getattr(self._read, "last_context", None)

    async def receive(self) -> Frame:
        """The next message; raises `EndOfStream` after the last."""
        while True:
            try:
                frame = await anext(self._frames)
            except (StopAsyncIteration, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
                with anyio.move_on_after(_LAST_ANSWERS):
                    await self._requests.settled()
                raise anyio.EndOfStream from error
            if isinstance(frame, SessionMessage):
                self._requests.note(frame.message)
                return frame
            await self._complain(frame)

    async def aclose(self) -> None:
        """Take no more."""
        await self._read.aclose()

    async def _complain(self, frame: Exception) -> None:
        logger.warning("dropped a frame that is no message: %s", frame)
        if isinstance(frame, MalformedFrameError) and frame.answer is not None:
            await self._write.send(SessionMessage(frame.answer))


class Answered(ObjectSendStream[SessionMessage]):
    """What goes out; each answer settles its request."""

    def __init__(self, write: Outgoing, requests: OpenRequests) -> None:
        self._write = write
        self._requests = requests

    async def send(self, item: SessionMessage) -> None:
        """Hand over one message."""
        try:
            await self._write.send(item)
        finally:
            if isinstance(item.message, JSONRPCResponse | JSONRPCError) and item.message.id is not None:
                self._requests.settle(item.message.id)

    async def aclose(self) -> None:
        """Send no more."""
        await self._write.aclose()
