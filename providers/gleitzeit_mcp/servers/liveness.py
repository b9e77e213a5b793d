"""Noticing that a server does not live any more although its connection stands, and that its lists have changed."""

from __future__ import annotations

from collections.abc import Callable

import anyio

from gleitzeit.core.errors import ProviderError
from gleitzeit_mcp.session.eras import Agreement, is_alive
from gleitzeit_mcp.session.errors import RemoteError
from gleitzeit_mcp.session.session import Session

PING_INTERVAL = 30.0
"""Seconds of silence after which a server is asked whether it lives."""

PING_LIMIT = 10.0
"""Seconds that it has to say so."""

LISTEN_PAUSE = 5.0
"""Seconds until a stream of changes that a server has closed is opened again."""

_CHANGES = {"toolsListChanged": "tools", "promptsListChanged": "prompts", "resourcesListChanged": "resources"}


class Pulse:
    """Asks a server that has been silent; `doubt` has it asked at once."""

    def __init__(self, session: Session, agreement: Agreement) -> None:
        self._session = session
        self._agreement = agreement
        self._doubted = anyio.Event()

    def doubt(self) -> None:
        """A call had no answer in time: perhaps none will ever come."""
        self._doubted.set()

    async def watch(self) -> None:
        """End the session as soon as the server is found dead.

        Many servers do one thing at a time, so that silence proves nothing while they may be at the first thing that
        they were asked for. Each call has a limit of its own, and one that reached it raises a doubt.
        """
        session = self._session
        while not session.is_over():
            with anyio.move_on_after(PING_INTERVAL):
                await self._doubted.wait()
            doubted, self._doubted = self._doubted.is_set(), anyio.Event()
            quiet = anyio.current_time() - session.heard >= PING_INTERVAL
            if session.occupied or not (doubted or quiet):
                continue
            if not await is_alive(session, self._agreement, PING_LIMIT):
                session.ended()


async def listen(session: Session, agreement: Agreement, changed: Callable[[], None]) -> None:
    """Keep the stream of changes open that the modern era has; after each gap in it something may have changed."""
    wanted = {change: True for change, capability in _CHANGES.items() if agreement.offers(capability)}
    if not wanted:
        return
    number = 0
    while not session.is_over():
        number += 1
        try:
            await session.request("subscriptions/listen", {"notifications": wanted}, request_id=f"listen-{number}")
        except RemoteError:
            return  # it has no such stream, which is its right
        except ProviderError:
            if session.is_over():
                return
        await anyio.sleep(LISTEN_PAUSE)
        changed()
