"""A way to a node that can be cut, as the cable of a machine."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import anyio
from anyio.abc import SocketAttribute, SocketListener, SocketStream

_NAME = re.compile(rb"call \d+")


class Relay:
    """Passes on what comes for a node, and counts by the name of a request, `call 7`, of how many a part came back."""

    def __init__(self, node: str) -> None:
        self.begun: Counter[str] = Counter()
        self._node = urlsplit(node)
        self._scope = anyio.CancelScope()
        self._changed = anyio.Event()

    @asynccontextmanager
    async def opened(self) -> AsyncGenerator[str]:
        """Pass on until it is cut; gives the URL to use."""
        listener = (await anyio.create_tcp_listener(local_host="127.0.0.1")).listeners[0]
        assert isinstance(listener, SocketListener)
        async with anyio.create_task_group() as group:
            group.start_soon(self._listen, listener)
            yield f"http://127.0.0.1:{listener.extra(SocketAttribute.local_port)}"
            self.cut()

    def cut(self) -> None:
        """Break all connections, and take no new ones."""
        self._scope.cancel()

    async def until_begun(self, count: int) -> None:
        """Wait until parts of so many answers have come back."""
        while self.begun.total() < count:
            await self._changed.wait()

    async def _listen(self, listener: SocketListener) -> None:
        async with listener:
            with self._scope:
                await listener.serve(self._connection)

    async def _connection(self, caller: SocketStream) -> None:
        node = await anyio.connect_tcp(str(self._node.hostname), self._node.port or 80)
        names: list[str] = []
        async with caller, node, anyio.create_task_group() as group:
            group.start_soon(self._forth, caller, node, names)
            await self._back(node, caller, names)
            group.cancel_scope.cancel()

    async def _forth(self, caller: SocketStream, node: SocketStream, names: list[str]) -> None:
        try:
            async for piece in caller:
                names.extend(name.decode() for name in _NAME.findall(piece))
                await node.send(piece)
            await node.send_eof()
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return  # one side hung up, which the other one is told by the end of the connection

    async def _back(self, node: SocketStream, caller: SocketStream, names: list[str]) -> None:
        try:
            async for piece in node:
                if names and b'"content"' in piece:
                    self.begun[names.pop()] += 1
                    self._changed.set()
                    self._changed = anyio.Event()
                await caller.send(piece)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return
