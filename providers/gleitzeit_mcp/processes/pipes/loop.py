"""`LoopPipes`: descriptors of our own, which the loop of every system but Windows can watch."""

from __future__ import annotations

import os

from anyio.abc import Process

from gleitzeit_mcp.processes.pipes.base import Pipes, Take
from gleitzeit_mcp.processes.pipes.reading import FromChild
from gleitzeit_mcp.processes.pipes.writing import ToChild


class LoopPipes(Pipes):
    """Most writes wait for nobody, and reads are made where they are heard of."""

    def __init__(self) -> None:
        self.stdin, to_child = os.pipe()
        try:
            from_child, self.stdout = os.pipe()
        except OSError:
            os.close(self.stdin)
            os.close(to_child)
            raise
        for ours in (to_child, from_child):
            os.set_blocking(ours, False)
        self._to_child, self._from_child = ToChild(to_child), FromChild(from_child)
        self._of_the_child: tuple[int, ...] = (self.stdin, self.stdout)

    def attach(self, process: Process | None) -> None:
        """Close what is the child's."""
        for descriptor in self._of_the_child:
            os.close(descriptor)
        self._of_the_child = ()

    async def send(self, data: bytes) -> None:
        """Write it now, or as soon as the child reads."""
        await self._to_child.send(data)

    async def receive(self, take: Take) -> None:
        """Read until it is over."""
        await self._from_child.receive(take)

    async def hang_up(self) -> None:
        """Close it now, or once all is written."""
        self._to_child.hang_up()

    def close(self) -> None:
        """Close what is left, whatever is unsent."""
        self.attach(None)
        self._to_child.close()
        self._from_child.close()
