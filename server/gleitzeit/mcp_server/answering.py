"""`Answering`: carries out the requests of one connection, each in a task of its own that its client may cancel.

The SDK's dispatcher could do so too, and is what all other messages go through. It spends a task of a group, two cancel
scopes and four events on a request, a tenth of what a short call costs; here it is a task of asyncio and one scope.
"""

from __future__ import annotations

import asyncio  # its tasks: those of an anyio group cost several times as much
import contextvars
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
from mcp.shared.dispatcher import Outbound
from mcp.shared.jsonrpc_dispatcher import handler_exception_to_error_data
from mcp.shared.message import MessageMetadata, SessionMessage
from mcp_types import CONNECTION_CLOSED, ErrorData, JSONRPCError, JSONRPCRequest, JSONRPCResponse, RequestId

from gleitzeit.mcp_server.inbound import Context, Inbound, Params
from gleitzeit.mcp_server.open_requests import OpenRequests

logger = logging.getLogger(__name__)

Send = Callable[[SessionMessage], Awaitable[None]]
OnRequest = Callable[[Context, str, Params], Awaitable[dict[str, Any]]]

_CLOSED = ErrorData(code=CONNECTION_CLOSED, message="Connection closed")

_TELLING = 0.5
"""Seconds that a client may take to read that its request was ended."""

_LETTING_GO = 0.5
"""Seconds that a request may go on after it was cancelled, before it is left to the event loop."""


class Answering:
    """Answers what it is given from `begin` on until it is closed; what a client has cancelled is not answered."""

    def __init__(self, send: Send, requests: OpenRequests) -> None:
        self._hand_over = send
        self._requests = requests
        self._tasks: dict[asyncio.Task[None], Inbound] = {}

    def begin(self, outbound: Outbound, on_request: OnRequest) -> None:
        """Have requests carried out by `on_request`, which may ask their client by `outbound` meanwhile."""
        self._outbound = outbound
        self._on_request = on_request

    def take(self, request: JSONRPCRequest, metadata: MessageMetadata, sender: contextvars.Context | None) -> None:
        """Carry a request out, in the context of its sender where that is known."""
        inbound = Inbound(self._outbound, request, metadata)
        self._requests.note(inbound)
        context = None if sender is None else sender.copy()  # what one request sets is none of the next one's
        task = asyncio.get_running_loop().create_task(self._carry_out(inbound), context=context)
        self._tasks[task] = inbound
        task.add_done_callback(self._end)

    def cancel(self, request_id: RequestId) -> None:
        """Cancel a request, unless its answer is under way."""
        inbound = self._requests.find(request_id)
        if inbound is None:
            return
        if not inbound.closed:
            inbound.withdraw()
        self._requests.settle(inbound)

    async def aclose(self) -> None:
        """End whatever is under way; who still waits for an answer is told so."""
        for inbound in self._tasks.values():
            inbound.scope.cancel()
        if self._tasks:
            with anyio.CancelScope(shield=True):
                await asyncio.wait(set(self._tasks), timeout=_LETTING_GO + _TELLING)
        for inbound in self._tasks.values():
            logger.error("request %r does not end although it was cancelled", inbound.request_id)

    def _end(self, task: asyncio.Task[None]) -> None:
        self._requests.settle(self._tasks.pop(task))
        error = None if task.cancelled() else task.exception()
        if error is not None:  # a defect of ours: it costs one answer, and not the connection
            logger.error("a request could not be answered", exc_info=error)

    async def _carry_out(self, inbound: Inbound) -> None:
        answered = False
        try:
            with suppress(asyncio.CancelledError), inbound.scope as scope:  # a handler may be cancelled by itself
                if not scope.cancel_called:  # by what came with it in one piece
                    answer = await self._answer(inbound)
                    if not inbound.withdrawn:
                        answered = True  # even if it is cut off: who gets it twice could not tell which is meant
                        await self._send(answer)
        finally:
            if not (answered or inbound.withdrawn):
                with anyio.move_on_after(_TELLING):
                    await self._send(JSONRPCError(jsonrpc="2.0", id=inbound.request_id, error=_CLOSED))

    async def _answer(self, inbound: Inbound) -> JSONRPCResponse | JSONRPCError:
        request = inbound.request
        try:
            result = await self._on_request(inbound, request.method, request.params)
            return JSONRPCResponse(jsonrpc="2.0", id=request.id, result=result)
        except Exception as error:  # noqa: BLE001 whatever it is, its client waits for an answer
            return JSONRPCError(jsonrpc="2.0", id=request.id, error=_error_data(error, request.method))
        finally:
            inbound.closed = True

    async def _send(self, answer: JSONRPCResponse | JSONRPCError) -> None:
        try:
            await self._hand_over(SessionMessage(answer))
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            logger.debug("nobody takes the answer to request %r any more", answer.id)


def _error_data(error: Exception, method: str) -> ErrorData:
    known = handler_exception_to_error_data(error)
    if known is not None:
        return known
    logger.error("the handler of %r failed", method, exc_info=error)
    return ErrorData(code=0, message=str(error))  # the code that the SDK gives, too
