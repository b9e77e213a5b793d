"""`Answering`: carries out the requests of one connection, each in a task of its own that its client may cancel.

The SDK's dispatcher could do so too, and is what all other messages go through. It spends a task of a group, two cancel
scopes and four events on a request, a tenth of what a short call costs; here it is a task of asyncio and one scope.
"""

from __future__ import annotations

import asyncio  # its tasks: those of an anyio group cost several times as much
import contextvars
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio
from mcp.shared.dispatcher import CallOptions, DispatchContext, Outbound, coerce_request_id
from mcp.shared.exceptions import NoBackChannelError
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data, progress_token_from_params
from mcp.shared.message import MessageMetadata, ServerMessageMetadata, SessionMessage
from mcp.shared.transport_context import TransportContext
from mcp_types import CONNECTION_CLOSED, ErrorData, JSONRPCError, JSONRPCRequest, JSONRPCResponse, RequestId

from gleitzeit.mcp_server.open_requests import OpenRequests

logger = logging.getLogger(__name__)

Context = DispatchContext[TransportContext]
Params = Mapping[str, Any] | None
Send = Callable[[SessionMessage], Awaitable[None]]
OnRequest = Callable[[Context, str, Params], Awaitable[dict[str, Any]]]

_CLOSED = ErrorData(code=CONNECTION_CLOSED, message="Connection closed")
_LAST_WORDS = 1.0
_LETTING_GO = 5.0


class Answering:
    """Answers what it is given from `begin` on until it is closed; what a client has cancelled is not answered."""

    def __init__(self, send: Send, requests: OpenRequests) -> None:
        self._hand_over = send
        self._requests = requests
        self._open: dict[RequestId, Inbound] = {}
        self._tasks: dict[asyncio.Task[None], Inbound] = {}

    def begin(self, outbound: Outbound, on_request: OnRequest) -> None:
        """Have requests carried out by `on_request`, which may ask their client by `outbound` meanwhile."""
        self._outbound = outbound
        self._on_request = on_request
        self._loop = asyncio.get_running_loop()

    def take(self, request: JSONRPCRequest, metadata: MessageMetadata, sender: contextvars.Context | None) -> None:
        """Carry a request out, in the context of its sender where that is known."""
        self._requests.note(request)
        inbound = Inbound(self._outbound, request, metadata)
        self._open[coerce_request_id(request.id)] = inbound
        context = None if sender is None else sender.copy()
        task = self._loop.create_task(self._carry_out(inbound, request), context=context)
        self._tasks[task] = inbound
        task.add_done_callback(self._end)

    def cancel(self, request_id: RequestId) -> None:
        """Cancel a request, if it is under way."""
        self._requests.settle(request_id)
        inbound = self._open.get(coerce_request_id(request_id))
        if inbound is not None:
            inbound.withdraw()

    async def aclose(self) -> None:
        """End whatever is under way; who still waits for an answer is told so."""
        for inbound in self._tasks.values():
            inbound.scope.cancel()
        if self._tasks:
            with anyio.CancelScope(shield=True):
                await asyncio.wait(set(self._tasks), timeout=_LETTING_GO)
        for inbound in self._tasks.values():
            logger.error("request %r does not end although it was cancelled", inbound.request_id)

    def _end(self, task: asyncio.Task[None]) -> None:
        del self._tasks[task]
        error = None if task.cancelled() else task.exception()
        if error is not None:  # a defect of ours: it costs one answer, and not the connection
            logger.error("a request could not be answered", exc_info=error)

    async def _carry_out(self, inbound: Inbound, request: JSONRPCRequest) -> None:
        answered = False
        with inbound.scope as scope:
            if not scope.cancel_called:  # by what came with it in one piece
                answer = await self._answer(inbound, request)
                if not inbound.withdrawn:
                    answered = True  # even if it is cut off: who gets it twice could not tell which is meant
                    await self._send(answer)
        if not (answered or inbound.withdrawn):
            with anyio.move_on_after(_LAST_WORDS):
                await self._send(JSONRPCError(jsonrpc="2.0", id=request.id, error=_CLOSED))

    async def _answer(self, inbound: Inbound, request: JSONRPCRequest) -> JSONRPCResponse | JSONRPCError:
        try:
            result = await self._on_request(inbound, request.method, request.params)
            return JSONRPCResponse(jsonrpc="2.0", id=request.id, result=result)
        except Exception as error:  # noqa: BLE001 whatever it is, its client waits for an answer
            return JSONRPCError(jsonrpc="2.0", id=request.id, error=_error_data(error, request.method))
        finally:
            inbound.closed = True
            key = coerce_request_id(request.id)
            if self._open.get(key) is inbound:  # and not a later one, whose sender gave it the same id
                del self._open[key]

    async def _send(self, answer: JSONRPCResponse | JSONRPCError) -> None:
        try:
            await self._hand_over(SessionMessage(answer))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            logger.debug("nobody takes the answer to request %r any more", answer.id)
        finally:
            if answer.id is not None:
                self._requests.settle(answer.id)


def _error_data(error: Exception, method: str) -> ErrorData:
    known = handler_exception_to_error_data(error)
    if known is not None:
        return known
    logger.error("the handler of %r failed", method, exc_info=error)
    return ErrorData(code=0, message=str(error))  # the code that the SDK gives, too


class Inbound(DispatchContext[TransportContext]):
    """A request under way: the way back to its client, open until it is answered, and the scope to cancel it by."""

    __slots__ = ("_cancelled", "_metadata", "_outbound", "_request", "closed", "scope", "withdrawn")

    def __init__(self, outbound: Outbound, request: JSONRPCRequest, metadata: MessageMetadata) -> None:
        self.scope = anyio.CancelScope()
        self.withdrawn = False
        self.closed = False
        self._outbound = outbound
        self._request = request
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
        return self._request.id

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
        token = progress_token_from_params(self._request.params)
        if token is None:
            return
        params: dict[str, Any] = {"progressToken": token, "progress": progress}
        if total is not None:
            params["total"] = total
        if message is not None:
            params["message"] = message
        await self.notify("notifications/progress", params)
