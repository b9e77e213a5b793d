"""`OpenRequests`: the requests of one connection that have no answer yet."""

from __future__ import annotations

import anyio
from mcp.shared.dispatcher import coerce_request_id
from mcp_types import RequestId

from gleitzeit.mcp_server.inbound import Inbound


class OpenRequests:
    """Which requests have no answer yet, and which of them go on until something ends them.

    A client may give several of them one id; it means the last of them then.
    """

    def __init__(self) -> None:
        self._open: set[Inbound] = set()
        self._named: dict[RequestId, Inbound] = {}
        self._changed: anyio.Event | None = None

    def note(self, inbound: Inbound) -> None:
        """Remember a request that has come."""
        self._open.add(inbound)
        self._named[coerce_request_id(inbound.request_id)] = inbound

    def find(self, request_id: RequestId) -> Inbound | None:
        """The request that a client means by an id, if it is open."""
        return self._named.get(coerce_request_id(request_id))

    def settle(self, inbound: Inbound) -> None:
        """Forget a request, which has its answer or needs none."""
        self._open.discard(inbound)
        if self.find(inbound.request_id) is inbound:
            del self._named[coerce_request_id(inbound.request_id)]
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def settled(self) -> None:
        """Return once no request is open but those that are answered when their client leaves."""
        while not all(map(_is_endless, self._open)):
            await self._change()

    async def unheard(self) -> None:
        """Return once no request is open that goes on until something ends it."""
        while any(map(_is_endless, self._open)):
            await self._change()

    async def _change(self) -> None:
        self._changed = self._changed or anyio.Event()
        await self._changed.wait()


def _is_endless(inbound: Inbound) -> bool:
    return inbound.request.method == "subscriptions/listen"
