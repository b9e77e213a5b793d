"""`Demultiplexer`: parts the requests of a connection from all else that comes in on it."""

from __future__ import annotations

import contextvars
import logging

import anyio
import anyio.lowlevel
from anyio.abc import ObjectReceiveStream
from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCMessage, JSONRPCNotification, JSONRPCRequest

from gleitzeit.mcp_server.answering import Answering, Send
from gleitzeit.mcp_server.frames import MalformedFrameError
from gleitzeit.mcp_server.open_requests import OpenRequests
from gleitzeit.mcp_server.streams import Frame, Incoming

logger = logging.getLogger(__name__)

_LAST_ANSWERS = 0.5
"""Seconds that requests may go on after a client has closed its end."""

_AT_ONCE = 32
"""The frames after which the requests among them get a turn, though more have come in one piece."""


class Demultiplexer(ObjectReceiveStream[Frame]):
    """What comes in for the SDK's dispatcher: requests go to `answering`, and what is no message is answered here.

    Its end is told only once all that was asked has been answered, or had a while for it: who writes requests and
    closes still wants the answers.
    """

    def __init__(self, read: Incoming, send: Send, answering: Answering, requests: OpenRequests) -> None:
        self._read = read
        self._send = send
        self._answering = answering
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
        except (anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            with anyio.move_on_after(_LAST_ANSWERS):
                await self._requests.settled()
            raise anyio.EndOfStream from error

    async def _message(self) -> SessionMessage:
        while True:
            frame = await self._read.receive()
            self._taken += 1
            if self._taken % _AT_ONCE == 0:
                await anyio.lowlevel.checkpoint()
            if not isinstance(frame, SessionMessage):
                await self._complain(frame)
            elif isinstance(frame.message, JSONRPCRequest):
                self._answering.take(frame.message, frame.metadata, self.last_context)
            else:
                self._heed(frame.message)
                return frame

    def _heed(self, message: JSONRPCMessage) -> None:
        """Cancel what a notification wants cancelled."""
        if isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            cancelled = cancelled_request_id_from_params(message.params)
            if cancelled is not None:
                self._answering.cancel(cancelled)

    async def aclose(self) -> None:
        """Take no more."""
        await self._read.aclose()

    async def _complain(self, frame: Exception) -> None:
        logger.warning("dropped a frame that is no message: %s", frame)
        if isinstance(frame, MalformedFrameError) and frame.answer is not None:
            await self._send(SessionMessage(frame.answer))
