"""Both protocol eras on one connection, in any order: the frames of each go to a loop of its own."""

from __future__ import annotations

import contextvars
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from typing import Any, Literal, Protocol

import anyio
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.server import Server
from mcp.server.runner import serve_dual_era_loop
from mcp.shared.dispatcher import coerce_request_id
from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params
from mcp.shared.message import SessionMessage
from mcp_types import (
    PROTOCOL_VERSION_META_KEY,
    JSONRPCError,
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)

from gleitzeit.mcp_server.frames import MalformedFrameError

logger = logging.getLogger(__name__)

Era = Literal["handshake", "modern"]
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


async def serve_both_eras(
    server: Server[Any], read: Incoming, write: Outgoing, *, lifespan_state: Any, requests: OpenRequests | None = None
) -> None:
    """Serve one connection until `read` ends, each request in the era that it speaks; closes both streams.

    The SDK's loop settles on one era a connection, but a known host asks for `server/discover` and then sends
    `initialize` on the same pipe. `requests` tells whoever gives it which are open.
    """
    requests = requests or OpenRequests()
    lanes: dict[Era, Lane] = {"handshake": Lane(), "modern": Lane()}
    async with aclosing(write), aclosing(read), anyio.create_task_group() as loops:
        for lane in lanes.values():
            loops.start_soon(_serve_lane, server, lane, _Answers(write, requests), lifespan_state)
        try:
            await _sort(read, write, lanes, requests)
            with anyio.move_on_after(_LAST_ANSWERS):  # who writes requests and closes still wants the answers
                await requests.settled()
        finally:
            for lane in lanes.values():
                lane.end()


def era_of(message: JSONRPCMessage) -> Era:
    """The era a message speaks: a request says so in its envelope, and the handshake exists in one era only."""
    if isinstance(message, JSONRPCRequest | JSONRPCNotification) and message.method != "initialize":
        return "modern" if _enveloped(message.params) else "handshake"
    return "handshake"


class OpenRequests:
    """Which era answers each request that has no answer yet."""

    def __init__(self) -> None:
        self._eras: dict[RequestId, Era] = {}
        self._endless: set[RequestId] = set()
        self._changed = anyio.Event()

    def era_for(self, message: JSONRPCMessage) -> Era:
        """The era that `message` goes to; remembers a request, and forgets one that is cancelled."""
        if isinstance(message, JSONRPCRequest):
            request_id = coerce_request_id(message.id)
            era = self._eras[request_id] = era_of(message)
            if message.method == _ENDLESS:
                self._endless.add(request_id)
            return era
        if isinstance(message, JSONRPCNotification) and message.method == "notifications/cancelled":
            cancelled = cancelled_request_id_from_params(message.params)
            if cancelled is not None:
                return self.settle(cancelled) or era_of(message)
        return era_of(message)

    def settle(self, request_id: RequestId) -> Era | None:
        """Forget a request, which has its answer or needs none; returns the era it was in."""
        era = self._eras.pop(coerce_request_id(request_id), None)
        self._endless.discard(coerce_request_id(request_id))
        self._changed.set()
        self._changed = anyio.Event()
        return era

    def __contains__(self, request_id: RequestId) -> bool:
        return coerce_request_id(request_id) in self._eras

    async def settled(self) -> None:
        """Return once no request is open but those that are answered when their client leaves."""
        while not self._eras.keys() <= self._endless:
            await self._changed.wait()

    async def unheard(self) -> None:
        """Return once no request is open that goes on until something ends it."""
        while self._endless:
            await self._changed.wait()


class Lane(ObjectReceiveStream[Frame]):
    """What one era's loop reads: its frames in order, each with the context of its sender."""

    def __init__(self) -> None:
        self._send, self._receive = anyio.create_memory_object_stream[tuple[contextvars.Context, Frame]](0)
        self.last_context: contextvars.Context | None = None

    async def put(self, context: contextvars.Context, frame: Frame) -> None:
        """Hand a frame to the loop."""
        await self._send.send((context, frame))

    def end(self) -> None:
        """Tell the loop that no frame follows."""
        self._send.close()

    async def receive(self) -> Frame:
        """The next frame; raises `EndOfStream` after the last."""
        self.last_context, frame = await self._receive.receive()
        return frame

    async def aclose(self) -> None:
        """Take no more frames."""
        self._receive.close()


class _Answers(ObjectSendStream[SessionMessage]):
    """The write stream that both loops share; the first to end must not close it for the other."""

    def __init__(self, write: Outgoing, requests: OpenRequests) -> None:
        self._write = write
        self._requests = requests

    async def send(self, item: SessionMessage) -> None:
        try:
            await self._write.send(item)
        finally:
            if isinstance(item.message, JSONRPCResponse | JSONRPCError) and item.message.id is not None:
                self._requests.settle(item.message.id)

    async def aclose(self) -> None:
        """Leave the stream open."""


async def _serve_lane(server: Server[Any], lane: Lane, answers: _Answers, lifespan_state: Any) -> None:
    await serve_dual_era_loop(server, lane, answers, lifespan_state=lifespan_state)


async def _sort(read: Incoming, write: Outgoing, lanes: Mapping[Era, Lane], requests: OpenRequests) -> None:
    try:
        async for frame in read:
            if isinstance(frame, Exception):
                await _complain(frame, write)
                continue
            context: contextvars.Context | None = getattr(read, "last_context", None)
            era = requests.era_for(frame.message)
            await lanes[era].put(context or contextvars.copy_context(), frame)
    except (anyio.ClosedResourceError, anyio.BrokenResourceError):
        logger.debug("the connection was closed from the other side")


async def _complain(frame: Exception, write: Outgoing) -> None:
    logger.warning("dropped a frame that is no message: %s", frame)
    if isinstance(frame, MalformedFrameError) and frame.answer is not None:
        await write.send(SessionMessage(frame.answer))


def _enveloped(params: Mapping[str, Any] | None) -> bool:
    meta = (params or {}).get("_meta")
    return isinstance(meta, Mapping) and PROTOCOL_VERSION_META_KEY in meta
