"""`Changes`: what clients that want to know are told, on all connections of the process."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup
from mcp.server.subscriptions import ServerEvent

from gleitzeit.core.groups import unwrapped
from gleitzeit.mcp_server.subscriptions.mailbox import Mailbox

_LAST_WORDS = 0.25


class Changes:
    """Tells every client that wants to know what has changed, whatever era it speaks.

    `tasks` outlives all connections: what has to be told to one belongs to it, and never holds up another.
    """

    def __init__(self, tasks: TaskGroup) -> None:
        self.tasks = tasks
        self._mailboxes: set[Mailbox] = set()
        self._ended = False
        self._left = anyio.Event()

    async def publish(self, event: ServerEvent) -> None:
        """Tell of a list that has changed, or of a resource; waits for no client."""
        for mailbox in self._mailboxes:
            mailbox.put(event)
        await anyio.lowlevel.checkpoint()

    @contextmanager
    def delivering(self, mailbox: Mailbox) -> Generator[None]:
        """Put every event into `mailbox` that it lets in, for as long as the context is open."""
        self._mailboxes.add(mailbox)
        if self._ended:
            mailbox.close()
        try:
            yield
        finally:
            self._mailboxes.discard(mailbox)
            self._left.set()

    async def end(self) -> None:
        """Tell all clients that nothing more follows; those that read have a moment to hear it."""
        self._ended = True
        for mailbox in self._mailboxes:
            mailbox.close()
        with anyio.move_on_after(_LAST_WORDS):
            while self._mailboxes:
                self._left = anyio.Event()
                await self._left.wait()


@asynccontextmanager
async def open_changes() -> AsyncGenerator[Changes]:
    """Provide what clients are told by; at the end nobody is told anything more."""
    async with unwrapped(anyio.create_task_group()) as tasks:
        try:
            yield Changes(tasks)
        finally:
            tasks.cancel_scope.cancel()
