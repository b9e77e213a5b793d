"""The tools that come and go, as the answer to a request for the list of tools."""

from __future__ import annotations

import logging

import anyio
import mcp_types as types

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.mcp_server.lazy_application import LazyApplication
from gleitzeit.mcp_server.published.listing import tools_beside
from gleitzeit.mcp_server.published.news import News

logger = logging.getLogger(__name__)

PATIENCE = 5.0
"""Seconds that a list waits for the application to be opened, and for servers that are starting."""


async def published_tools(lazy: LazyApplication, news: News, caller: str) -> list[types.Tool]:
    """The saved workflows of a caller and the exposed tools; none where the application can't be opened.

    Where that takes longer, clients that listen are told once the list is whole.
    """
    due = anyio.current_time() + PATIENCE
    with anyio.CancelScope(deadline=due):
        try:
            application = await lazy.opened()
        except GleitzeitError as error:  # any call of a tool says so too, and opens it where it can be by then
            logger.warning("only the fixed tools are listed: %s", error)
            return []
        await news.watching()
        return await tools_beside(application, caller, due - anyio.current_time())
    news.owe(caller)
    return []
