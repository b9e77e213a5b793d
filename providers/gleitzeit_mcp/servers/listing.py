"""Taking in the tools of a server, at its start and whenever they have changed."""

from __future__ import annotations

from typing import Any

import anyio

from gleitzeit.core.errors import GleitzeitError
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.failures import list_failure, malformed
from gleitzeit_mcp.servers.memory import Memory
from gleitzeit_mcp.servers.roots import OfferedRoots
from gleitzeit_mcp.session.eras import Agreement
from gleitzeit_mcp.session.errors import METHOD_NOT_FOUND, RemoteError
from gleitzeit_mcp.session.pages import listed
from gleitzeit_mcp.session.session import Session

ROOTS_PAUSE = 0.25
"""Seconds that a server gets to take in the roots it asked for, before it counts as ready."""


async def take_in_tools(
    server: Server, session: Session, agreement: Agreement, memory: Memory, roots: OfferedRoots | None = None
) -> GleitzeitError | None:
    """Ask a server for its tools and remember them; returns what is wrong with the list, or with some of them.

    Raises `ConnectionLostError` where the connection breaks meanwhile.
    """
    if not agreement.offers("tools"):
        memory.forget_tools()
        return None
    asked_before = roots is not None and roots.asked
    entries = await _entries(server, session)
    if roots is not None and roots.asked and not asked_before:
        # A server of the older era refuses calls until it has looked at the roots it asked for, and nothing in the
        # protocol says that it has.
        await anyio.sleep(ROOTS_PAUSE)
        entries = await _entries(server, session)
    if isinstance(entries, GleitzeitError):
        memory.listed = True
        return entries
    dropped = await memory.take_in(entries)
    return malformed(server.name, dropped) if dropped else None


async def _entries(server: Server, session: Session) -> list[Any] | GleitzeitError:
    try:
        return await listed(session, "tools/list", "tools", server.timeout)
    except RemoteError as error:
        return [] if error.code == METHOD_NOT_FOUND else list_failure(server.name, error)
    except GleitzeitError as error:
        if session.is_over():
            raise
        return list_failure(server.name, error)
