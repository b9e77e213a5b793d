"""Looking at the nodes: in turns for as long as the pool is served, and at once where a request finds none."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

import anyio

from gleitzeit_ollama.pool.node import Node

_JITTER = 0.1
_GRACE = 0.2


class Lookout:
    """Keeps what is known of nodes up to date, and tells `changed` after each look."""

    def __init__(
        self, nodes: Mapping[str, Node], changed: Callable[[Node], None], *, interval: float, timeout: float
    ) -> None:
        self._nodes = nodes
        self._changed = changed
        # A request must not be given up before a look has told whether its model is loaded at all.
        self._interval = min(interval, timeout / 2)
        self._wanted = anyio.Event()
        self._watching = False

    async def watch(self) -> None:
        """Look at all nodes again and again, from the first use of the pool on, until cancelled."""
        # Nobody's ports are knocked at, and no HTTP client is imported, for a pool that is not used.
        await self._wanted.wait()
        self._watching = True
        try:
            async with anyio.create_task_group() as group:
                for node in self._nodes.values():
                    group.start_soon(self._watch, node, name=f"Ollama at {node.name}")
        finally:
            self._watching = False

    async def look(self, enough: Callable[[], bool] | None = None) -> None:
        """Look at all nodes now, all at the same time, or until it is `enough`."""
        self._wanted.set()
        async with anyio.create_task_group() as group:

            async def one(node: Node) -> None:
                await self.look_at(node)
                if enough is not None and enough():
                    # Who watches goes on looking; where nobody does, the others get a little time to show up too.
                    group.cancel_scope.deadline = anyio.current_time() + (0.0 if self._watching else _GRACE)

            for node in self._nodes.values():
                group.start_soon(one, node)

    async def look_at(self, node: Node, *, fresh: bool = False) -> None:
        """Look at one node now."""
        await node.look(fresh=fresh)
        self._changed(node)

    async def _watch(self, node: Node) -> None:
        while True:
            await self.look_at(node)
            spread = random.uniform(1.0 - _JITTER, 1.0 + _JITTER)  # noqa: S311  # nobody gains by guessing it
            seconds = node.health.pause(self._interval) if node.known else self._interval
            await node.rest(seconds * spread)
