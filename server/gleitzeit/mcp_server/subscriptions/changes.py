"""`Changes`: what clients that listen are told."""

from __future__ import annotations

from typing import Any

import mcp_types as types
from mcp.server import ServerRequestContext
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ServerEvent


class Changes:
    """Tells every client that wants to know what has changed, on all connections of the process."""

    def __init__(self) -> None:
        self._bus = InMemorySubscriptionBus()
        self._listen = ListenHandler(self._bus)

    async def publish(self, event: ServerEvent) -> None:
        """Tell of a list that has changed, or of a resource."""
        await self._bus.publish(event)

    async def listen(
        self, context: ServerRequestContext[Any, Any], params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Serve one client that listens, until it leaves."""
        return await self._listen(context, params)
