"""`Mailbox`: what one client has still to be told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import anyio
from mcp.server.subscriptions import ServerEvent

Wants = Callable[[ServerEvent], bool]


class Mailbox:
    """Events that `wants` lets in, each of them once: a client that never reads has no more than one of each waiting.

    An event says that something has changed and not how, so that one stands for all of its kind before it is told.
    """

    def __init__(self, wants: Wants) -> None:
        self._wants = wants
        self._waiting: dict[ServerEvent, None] = {}
        self._changed = anyio.Event()
        self._closed = False

    def put(self, event: ServerEvent) -> None:
        """Leave an event; returns at once."""
        if self._wants(event) and not self._closed:
            self._waiting[event] = None
            self._changed.set()

    def close(self) -> None:
        """Take no more; who empties it is done once it is empty."""
        self._closed = True
        self._changed.set()

    async def events(self) -> AsyncIterator[ServerEvent]:
        """Take the events out, as they come, until it is closed and empty."""
        while True:
            while self._waiting:
                event = next(iter(self._waiting))
                del self._waiting[event]
                yield event
            if self._closed:
                return
            self._changed = anyio.Event()
            await self._changed.wait()
