"""What a client of either era is told of lists that have changed, for as long as it listens."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
from mcp import Client
from mcp.server.subscriptions import ResourcesListChanged, ToolsListChanged

Next = Callable[[], Awaitable[str]]

_WORDS: Mapping[object, str] = {
    ToolsListChanged: "tools",
    ResourcesListChanged: "resources",
    "notifications/tools/list_changed": "tools",
    "notifications/resources/list_changed": "resources",
}


class Heard:
    """The `message_handler` of a client that began with a handshake."""

    def __init__(self) -> None:
        self._lists: list[str] = []
        self._more = anyio.Event()

    async def __call__(self, message: Any) -> None:
        if isinstance(message, types.ServerNotification) and message.method in _WORDS:
            self._lists.append(_WORDS[message.method])
            self._more.set()

    async def next(self) -> str:
        """The next list that has changed: tools or resources."""
        while not self._lists:
            self._more = anyio.Event()
            await self._more.wait()
        return self._lists.pop(0)


@asynccontextmanager
async def told(client: Client, heard: Heard, mode: str) -> AsyncGenerator[Next]:
    """Gives which list has changed next, in the way of the client's era."""
    if mode == "legacy":
        yield heard.next
        return
    async with client.listen(tools_list_changed=True, resources_list_changed=True) as events:

        async def following() -> str:
            return _WORDS[type(await anext(events))]

        yield following
