"""`OpenRequests`: the requests of one connection that have no answer yet."""

from __future__ import annotations

import anyio
from mcp.shared.dispatcher import coerce_request_id
from mcp_types import JSONRPCRequest, RequestId

_ENDLESS = "subscriptions/listen"


class OpenRequests:
    """Which requests have no answer yet, and which of them go on until something ends them."""

    def __init__(self) -> None:
        self._open: set[RequestId] = set()
        self._endless: set[RequestId] = set()
        self._changed: anyio.Event | None = None

    def note(self, request: JSONRPCRequest) -> None:
        """Remember a request that has come."""
        request_id = coerce_request_id(request.id)
        self._open.add(request_id)
        if request.method == _ENDLESS:
            self._endless.add(request_id)

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
