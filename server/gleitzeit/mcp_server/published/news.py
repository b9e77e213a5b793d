"""Telling clients that tools have changed, whoever has changed them: this process, another one, a server, a file."""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable
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
        self._owed: set[str] | None = None

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
        if self._owed is not None:  # one task for all: a host may ask again and again while nothing can be opened
            self._owed.add(caller)
            self._lazy.begin()
            return
        self._owed = {caller}
        self._changes.tasks.start_soon(self._pay)

    async def _pay(self) -> None:
        await anyio.sleep(_ANSWERING)
        self._lazy.begin()
        application = await self._lazy.once_open()
        owed, self._owed = self._owed or set(), None
        try:
            if await _has_more(application, owed):
                await self._changes.publish(ToolsListChanged())
        except Exception:  # what can't be looked at now may be there: whoever asks again finds out
            logger.exception("whether there are more tools can't be known now")
            await self._changes.publish(ToolsListChanged())

    async def _tell(self, application: Application) -> None:
        from gleitzeit.store.base import HEARTBEAT  # the application has brought it

        # Files change without telling anybody, so they are looked at as often as the store gives a sign of life.
        patience = HEARTBEAT if application.saved.has_directories else math.inf
        told: _Standing | None = None
        while True:
            rings = application.changed.rings
            found = await _found(application)
            if found is not None and self._watching.is_set():
                for event in found.events(told):
                    await self._changes.publish(event)
            told = found or told
            self._watching.set()
            with anyio.move_on_after(patience if found is not None else HEARTBEAT):
                await application.changed.rung(rings)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What differs where workflows, or exposed tools, are not the same."""

    workflows: str
    exposed: str

    @classmethod
    async def of(cls, application: Application) -> _Standing:
        from gleitzeit.mcp_server.published.exposure import exposed_tools  # it imports the application

        return cls(await application.saved.state(), repr(await exposed_tools(application, 0)))

    def events(self, before: _Standing | None) -> list[ServerEvent]:
        """What those are to be told who know how it stood before; all, where nobody knows that."""
        if before is None or self.workflows != before.workflows:
            return [ToolsListChanged(), ResourcesListChanged()]
        return [ToolsListChanged()] if self.exposed != before.exposed else []


async def _found(application: Application) -> _Standing | None:
    """How it stands; nothing where that can't be known now."""
    try:
        return await _Standing.of(application)
    except GleitzeitError as error:  # it goes on where the cause goes away
        logger.warning("whether tools have changed can't be known now: %s", error)
        return None


async def _has_more(application: Application, callers: Iterable[str]) -> bool:
    """Whether one of these callers has more tools than the fixed ones."""
    from gleitzeit.mcp_server.published.listing import tools_beside  # the application has brought most of it

    for caller in callers:
        if await tools_beside(application, caller):
            return True
    return False
