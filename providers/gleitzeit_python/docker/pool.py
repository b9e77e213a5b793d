"""`Pool`: containers that were started before anybody needed them."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Awaitable, Callable

import anyio

from gleitzeit.core.errors import GleitzeitError
from gleitzeit_python.docker.container import ContainerLine

logger = logging.getLogger(__name__)


class Pool:
    """Keeps `size` containers ready while `serve` runs; each is given away once."""

    def __init__(self, make: Callable[[], Awaitable[ContainerLine]], size: int) -> None:
        self._make = make
        self._size = size
        self._ready: deque[ContainerLine] = deque()
        self._short = anyio.Event()
        self._short.set()

    def __len__(self) -> int:
        return len(self._ready)

    async def take(self) -> ContainerLine:
        """One that waits for a job: of those that stand by, or a new one."""
        try:
            while self._ready:
                container = self._ready.popleft()
                if container.alive:
                    return container
                await container.kill()
            return await self._make()
        finally:
            self._short.set()

    async def serve(self) -> None:
        """Fill up whenever one was taken; where that fails, try again with the next one."""
        while True:
            await self._short.wait()
            self._short = anyio.Event()
            try:
                while len(self._ready) < self._size:
                    self._ready.append(await self._make())
            except GleitzeitError as error:
                logger.warning("no container can be kept ready: %s", error)

    async def empty(self) -> None:
        """Remove all that stand by."""
        while self._ready:
            await self._ready.popleft().kill()
