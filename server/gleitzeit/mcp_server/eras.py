"""Both protocol eras on one connection, in any order: each request is served in the one that it speaks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import anyio
from anyio.abc import ObjectSendStream
from mcp.server import Server
from mcp.server.connection import Connection, NotifyOnlyOutbound
from mcp.server.runner import ServerRunner, aclose_shielded, modern_error_data, serve_one
from mcp.shared.dispatcher import CallOptions
from mcp.shared.exceptions import MCPError, NoBackChannelError
from mcp.shared.inbound import InboundLadderRejection, classify_inbound_request
from mcp.shared.jsonrpc_dispatcher import JSONRPCDispatcher
from mcp.shared.message import MessageMetadata, SessionMessage
from mcp.shared.transport_context import TransportContext
from mcp_types import PROTOCOL_VERSION_META_KEY, RequestId
from mcp_types.version import LATEST_MODERN_VERSION
from pydantic import ValidationError

from gleitzeit.mcp_server.answering import Answering
from gleitzeit.mcp_server.demultiplexer import Demultiplexer
from gleitzeit.mcp_server.inbound import Context, Params
from gleitzeit.mcp_server.open_requests import OpenRequests
from gleitzeit.mcp_server.streams import Incoming, Outgoing


async def serve_both_eras(
    server: Server[Any], read: Incoming, write: Outgoing, *, lifespan_state: Any, requests: OpenRequests | None = None
) -> None:
    """Serve one connection until `read` ends, each request in the era that it speaks; closes both streams.

    The SDK's loop settles on one era a connection, but a known host asks for `server/discover` and then sends
    `initialize` on the same pipe. `requests` tells whoever gives it which are open.
    """
    requests = requests or OpenRequests()
    answering = Answering(write.send, requests)
    others = Demultiplexer(read, write.send, answering, requests)
    dispatcher: JSONRPCDispatcher[TransportContext] = JSONRPCDispatcher(others, _WayBack(write, answering))
    eras = _Eras(server, dispatcher, lifespan_state)
    answering.begin(dispatcher, eras.on_request)
    try:
        await dispatcher.run(eras.on_request, eras.on_notify)  # no request gets there
    finally:
        await eras.aclose()


class _WayBack(ObjectSendStream[SessionMessage]):
    """The stream to a client: before it is closed, whatever is under way is ended, and still told there.

    The dispatcher closes it last, when nobody who asks the client something waits for an answer any more.
    """

    def __init__(self, write: Outgoing, answering: Answering) -> None:
        self._write = write
        self._answering = answering

    async def send(self, item: SessionMessage) -> None:
        """Hand over one message."""
        await self._write.send(item)

    async def aclose(self) -> None:
        """Send no more."""
        await self._answering.aclose()
        await self._write.aclose()


def _is_modern(method: str, params: Params) -> bool:
    """Whether a message is of the era in which each says so in its envelope; the handshake exists in the other only."""
    meta = (params or {}).get("_meta")
    return isinstance(meta, dict) and PROTOCOL_VERSION_META_KEY in meta and method != "initialize"


class _Eras:
    """The handlers of one connection: one client that shook hands, and as many as there are modern requests."""

    def __init__(self, server: Server[Any], dispatcher: JSONRPCDispatcher[TransportContext], state: Any) -> None:
        self._server = server
        self._state = state
        self._outbound = NotifyOnlyOutbound(dispatcher)
        self._handshake = Connection.for_loop(dispatcher)
        self._runner = ServerRunner(server, self._handshake, state)
        self._handshakes = _Handshakes()

    async def on_request(self, context: Context, method: str, params: Params) -> dict[str, Any]:
        """What a request is answered with. Raises `MCPError` and `ValidationError`."""
        if not _is_modern(method, params):
            return await self._of_handshake(context, method, params)
        route = classify_inbound_request({"method": method, "params": params})
        if isinstance(route, InboundLadderRejection):
            raise MCPError(code=route.code, message=route.message, data=route.data)
        connection = Connection.from_envelope(
            route.protocol_version, route.client_info, route.client_capabilities, outbound=self._outbound
        )
        unasked = _NoRequests(context)
        try:
            return await serve_one(
                self._server, unasked, method, params, connection=connection, lifespan_state=self._state
            )
        except (MCPError, ValidationError):
            raise
        except Exception as error:
            told = modern_error_data(error)
            raise MCPError(code=told.code, message=told.message, data=told.data) from error

    async def _of_handshake(self, context: Context, method: str, params: Params) -> dict[str, Any]:
        if method != "initialize":
            await self._handshakes.over()
            return await self._runner.on_request(context, method, params)
        with self._handshakes.under_way():
            return await self._runner.on_request(context, method, params)

    async def on_notify(self, context: Context, method: str, params: Params) -> None:
        """Take a notification."""
        if not _is_modern(method, params):
            await self._handshakes.over()
            await self._runner.on_notify(context, method, params)
            return
        connection = Connection.from_envelope(LATEST_MODERN_VERSION, None, None, outbound=self._outbound)
        try:
            await ServerRunner(self._server, connection, self._state).on_notify(_NoRequests(context), method, params)
        finally:
            await aclose_shielded(connection)

    async def aclose(self) -> None:
        """End what was kept for the client that shook hands."""
        await aclose_shielded(self._handshake)


class _Handshakes:
    """What a client sends after `initialize` without waiting for its answer finds it done.

    The SDK would read on only once that answer is written, which a client that reads nothing prevents for ever.
    """

    def __init__(self) -> None:
        self._under_way = 0
        self._over = anyio.Event()

    @contextmanager
    def under_way(self) -> Generator[None]:
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            if not self._under_way:
                self._over.set()
                self._over = anyio.Event()

    async def over(self) -> None:
        while self._under_way:
            await self._over.wait()


class _NoRequests:
    """The way back to a client that nothing may be asked of but in the answer to its request."""

    def __init__(self, context: Context) -> None:
        self._context = context

    @property
    def transport(self) -> TransportContext:
        """What is known of the message's way here."""
        return replace(self._context.transport, can_send_request=False)

    @property
    def can_send_request(self) -> bool:
        """Never."""
        return False

    @property
    def request_id(self) -> RequestId | None:
        """The id of the request."""
        return self._context.request_id

    @property
    def message_metadata(self) -> MessageMetadata:
        """What the transport attached to the message."""
        return self._context.message_metadata

    @property
    def cancel_requested(self) -> anyio.Event:
        """Set when the client cancels the request."""
        return self._context.cancel_requested

    async def send_raw_request(self, method: str, params: Params, opts: CallOptions | None = None) -> dict[str, Any]:
        """Raises `NoBackChannelError`."""
        raise NoBackChannelError(method)

    async def notify(self, method: str, params: Params, opts: CallOptions | None = None) -> None:
        """Notify the client."""
        await self._context.notify(method, params, opts)

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Tell how far the request is."""
        await self._context.progress(progress, total, message)
