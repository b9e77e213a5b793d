"""`ContainerLine`: a started container that waits for its one job."""

from __future__ import annotations

import select
import sys
from collections.abc import Callable
from typing import Any

from gleitzeit_python.docker.attachment import Attachment
from gleitzeit_python.docker.daemon import Daemon
from gleitzeit_python.stdio.base import Line


class ContainerLine(Line):
    """Speaks with a container through its attached streams; `memory` is what it may use."""

    def __init__(
        self, daemon: Daemon, container: str, attachment: Attachment, memory: int, remove: Callable[[str], None]
    ) -> None:
        self.id = container
        self.memory = memory
        self._daemon = daemon
        self._attachment = attachment
        self._remove = remove

    @property
    def complaint(self) -> str:
        """What the relay in it has written on its own standard error."""
        return self._attachment.complaint.decode("utf-8", "replace").strip()

    @property
    def alive(self) -> bool:
        """Whether it still waits: it says nothing before its job, so whatever can be read is its end."""
        if sys.platform == "win32":
            return True
        readable, _, _ = select.select([self._attachment], [], [], 0)
        return not readable

    async def send(self, data: bytes) -> None:
        """Write to its standard input."""
        await self._daemon.wait_for(lambda: self._attachment.send(data))

    async def receive(self) -> bytes:
        """Read from its standard output."""
        data: Any = await self._daemon.wait_for(self._attachment.receive)
        return bytes(data)

    async def limit_memory(self, size: int) -> None:
        """Let it use so much before its job begins."""
        if size != self.memory:
            await self._daemon.limit_memory(self.id, size)
            self.memory = size

    def let_go(self) -> None:
        """End it by leaving: it removes itself."""
        self._attachment.close()

    async def kill(self) -> None:
        """Let nobody hear of it any more, and have it killed: the daemon takes longer than a caller should wait."""
        self._attachment.close()
        self._remove(self.id)
