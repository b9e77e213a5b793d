"""Telling clients that tools have changed, whoever has changed them: this process, another one, a server, a file."""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from mcp.server.subscriptions import ResourcesListChanged, ServerEvent, ToolsListChanged

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.mcp_server.lazy_application import LazyApplication
from gleitzeit.mcp_server.subscriptions.changes import Changes

if TYPE_CHECKING:  # at run time whoever opens the application brings it
    from gleitzeit.application import Application

logger = logging.getLogger(__name__)

_ANSWERING = 0.05
"""Seconds until the list is out; what opens the application takes its share of the processor from whoever writes it."""


class News:
    """Looks whether tools and saved workflows are still what they were, each time that they may be others."""

    def __init__(self, lazy: LazyApplication, changes: Changes) -> None:
        self._lazy = lazy
        self._changes = changes
        self._watching = anyio.Event()

    async def watching(self) -> None:
        """Return as soon as no change to what is read from now on stays untold."""
        await self._watching.wait()

    async def tell(self) -> None:
        """Tell clients of what is new, changed or gone, once somebody has had the application opened."""
        application = await self._lazy.once_open()
        try:
            await self._tell(application)
        except Exception:
            logger.exception("clients are not told any more when tools change")
        finally:
            self._watching.set()

    def owe(self, caller: str) -> None:
        """A caller gets a list of the fixed tools alone: have the application opened, and tell of more if there is."""
        self._changes.tasks.start_soon(self._pay, caller)

    async def _pay(self, caller: str) -> None:
        await anyio.sleep(_ANSWERING)
        self._lazy.begin()
        application = await self._lazy.once_open()
        from gleitzeit.mcp_server.published.listing import tools_beside  # the application has brought most of it

        if await tools_beside(application, caller):
            await self._changes.publish(ToolsListChanged())

    async def _tell(self, application: Application) -> None:
        from gleitzeit.store.base import HEARTBEAT  # the application has brought it

        # Files change without telling anybody, so they are looked at as often as the store gives a sign of life.
        patience = HEARTBEAT if application.saved.has_directories else math.inf
        rings = application.changed.rings
        told = await _Standing.of(application)
        self._watching.set()
        while True:
            with anyio.move_on_after(patience):
                await application.changed.rung(rings)
            rings = application.changed.rings
            try:
                found = await _Standing.of(application)
            except GleitzeitError as error:  # it goes on where the cause goes away
                logger.warning("whether tools have changed can't be known now: %s", error)
                continue
            for event in found.events(told):
                await self._changes.publish(event)
            told = found


@dataclass(frozen=True, slots=True)
class _Standing:
    """What differs where workflows, or exposed tools, are not the same."""

    workflows: str
    exposed: str

    @classmethod
    async def of(cls, application: Application) -> _Standing:
        from gleitzeit.mcp_server.published.exposure import exposed_tools  # it imports the application

        return cls(await application.saved.state(), repr(await exposed_tools(application, 0)))

    def events(self, before: _Standing) -> list[ServerEvent]:
        """What those are to be told who know how it stood before."""
        if self.workflows != before.workflows:
            return [ToolsListChanged(), ResourcesListChanged()]
        return [ToolsListChanged()] if self.exposed != before.exposed else []
