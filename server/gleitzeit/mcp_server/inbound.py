"""`Inbound`: a request of a client, from when it has come until it has its answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import anyio
from mcp.shared.dispatcher import CallOptions, DispatchContext, Outbound
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.jsonrpc_dispatcher import progress_token_from_params
from mcp.shared.message import MessageMetadata, ServerMessageMetadata
from mcp.shared.transport_context import TransportContext
from mcp_types import JSONRPCRequest, RequestId

Context = DispatchContext[TransportContext]
Params = Mapping[str, Any] | None


class Inbound(DispatchContext[TransportContext]):
    """The way back to its client, open until it is `closed` for the answer, and the scope to cancel it by.

    Once its client has `withdrawn` it, it is not to be answered.
    """

    __slots__ = ("_cancelled", "_metadata", "_outbound", "closed", "request", "scope", "withdrawn")

    def __init__(self, outbound: Outbound, request: JSONRPCRequest, metadata: MessageMetadata) -> None:
        self.request = request
        self.scope = anyio.CancelScope()
        self.withdrawn = False
        self.closed = False
        self._outbound = outbound
        self._metadata = metadata
        self._cancelled: anyio.Event | None = None

    def withdraw(self) -> None:
        """Its client wants no answer any more."""
        self.withdrawn = True
        if self._cancelled is not None:
            self._cancelled.set()
        self.scope.cancel()

    @property
    def transport(self) -> TransportContext:
        """What is known of the message's way here."""
        stamped = self._metadata
        asks = stamped.can_send_request if isinstance(stamped, ServerMessageMetadata) else True
        return TransportContext(kind="jsonrpc", can_send_request=asks)

    @property
    def can_send_request(self) -> bool:
        """Whether its client may be asked something now."""
        return not self.closed and self.transport.can_send_request

    @property
    def request_id(self) -> RequestId:
        """The id, as its client has spelled it."""
        return self.request.id

    @property
    def message_metadata(self) -> MessageMetadata:
        """What the transport attached to the message."""
        return self._metadata

    @property
    def cancel_requested(self) -> anyio.Event:
        """Set when the client cancels the request."""
        if self._cancelled is None:
            self._cancelled = anyio.Event()
            if self.withdrawn:
                self._cancelled.set()
        return self._cancelled

    async def send_raw_request(self, method: str, params: Params, opts: CallOptions | None = None) -> dict[str, Any]:
        """Ask the client. Raises `NoBackChannelError` where that can't be done, and what the answer says."""
        if not self.can_send_request:
            raise NoBackChannelError(method)
        return await self._outbound.send_raw_request(method, params, opts)

    async def notify(self, method: str, params: Params, opts: CallOptions | None = None) -> None:
        """Notify the client, unless it has its answer."""
        if not self.closed:
            await self._outbound.notify(method, params, opts)

    async def progress(self, progress: float, total: float | None = None, message: str | None = None) -> None:
        """Tell how far the request is, if its client asked for that."""
        token = progress_token_from_params(self.request.params)
        if token is None:
            return
        params: dict[str, Any] = {"progressToken": token, "progress": progress}
        if total is not None:
            params["total"] = total
        if message is not None:
            params["message"] = message
        await self.notify("notifications/progress", params)
