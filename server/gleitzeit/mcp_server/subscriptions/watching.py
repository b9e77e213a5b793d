"""Leaving word for a client each time that a resource has changed which it has subscribed to."""

from __future__ import annotations

import logging
from typing import Any

from mcp.server import ServerRequestContext
from mcp.server.subscriptions import ResourceUpdated

from gleitzeit.mcp_server.subscriptions.base import ResourceWatch
from gleitzeit.mcp_server.subscriptions.mailbox import Mailbox

logger = logging.getLogger(__name__)

MOST_RESOURCES = 256
LONGEST_URI = 8_192
"""What one client may have watched, so that none takes all the memory there is."""


async def watch_resource(
    watch: ResourceWatch, context: ServerRequestContext[Any, Any], uri: str, mailbox: Mailbox
) -> None:
    """Put into `mailbox` whenever the resource at `uri` may have changed, until it never will again."""
    try:
        async for _ in watch(context, uri):
            mailbox.put(ResourceUpdated(uri))
    except Exception:  # one subscription must not end those of the others
        logger.exception("the changes of a resource cannot be told any more")
