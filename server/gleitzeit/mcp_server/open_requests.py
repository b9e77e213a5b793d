"""`OpenRequests`: the requests of one connection that have no answer yet."""

from __future__ import annotations

import anyio
from mcp.shared.dispatcher import coerce_request_id
from mcp.shared.jsonrpc_dispatcher import cancelled_request_id_from_params
from mcp_types import JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, RequestId

_ENDLESS = "subscriptions/listen"


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
