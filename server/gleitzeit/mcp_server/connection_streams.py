"""The two streams of one connection, as they tell which requests are open."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import AsyncIterator
from typing import Protocol

import anyio
import anyio.lowlevel
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCResponse

from gleitzeit.mcp_server.frames import MalformedFrameError
from gleitzeit.mcp_server.open_requests import OpenRequests

logger = logging.getLogger(__name__)

Frame = SessionMessage | Exception

_LAST_ANSWERS = 0.5
_AT_ONCE = 32


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


class Asked(ObjectReceiveStream[Frame]):
    """What comes in; its end is told only once all that was asked has been answered, or had a while for it.

    Who writes requests and closes still wants the answers. A frame that is no message is answered here.
    """

    def __init__(self, read: Incoming, write: Outgoing, requests: OpenRequests) -> None:
        self._read = read
        self._frames = aiter(read)
        self._write = write
        self._requests = requests
        self._taken = 0

    @property
    def last_context(self) -> contextvars.Context | None:
        """That of the last frame's sender, where the connection knows it."""
        return getattr(self._read, "last_context", None)

    async def receive(self) -> Frame:
        """The next message; raises `EndOfStream` after the last."""
        try:
            return await self._message()
        except (StopAsyncIteration, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            with anyio.move_on_after(_LAST_ANSWERS):
                await self._requests.settled()
            raise anyio.EndOfStream from error

    async def _message(self) -> SessionMessage:
        while True:
            frame = await anext(self._frames)
            self._taken += 1
            if self._taken % _AT_ONCE == 0:  # those before get a turn, though many have come in one piece
                await anyio.lowlevel.checkpoint()
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
