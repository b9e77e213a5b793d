"""What clients can be told of besides lists: single resources, and what an extension adds."""

from __future__ import annotations

import abc
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any, ClassVar

from mcp.server import ServerRequestContext

ResourceWatch = Callable[[ServerRequestContext[Any, Any], str], AsyncIterator[None]]
"""Yields whenever the resource at a URI may have changed, until it never will again, or if it is none of the caller's.

It is run for each client that has subscribed, in the context of that request, and cancelled with the subscription or
the connection. What it yields while a client is slow is told once.
"""

Tell = Callable[[Mapping[str, Any]], Awaitable[None]]
"""Sends a notification with these parameters; returns once it is on its way."""


class Feed(abc.ABC):
    """Notifications of a `method` that an extension adds to `subscriptions/listen`, by names under a `key` of its own.

    It is asked in the context of the request to listen, and cancelled with it.
    """

    key: ClassVar[str]
    method: ClassVar[str]

    @abc.abstractmethod
    async def honored(self, context: ServerRequestContext[Any, Any], wanted: Any) -> Sequence[str]:
        """Of the names that a client asks for, those that it will be told of.

        `wanted` is whatever it has sent. Raises `MCPError` where it is no list of names, or may not be asked for.
        """

    @abc.abstractmethod
    async def follow(self, context: ServerRequestContext[Any, Any], name: str, tell: Tell) -> None:
        """Tell all that there is to say about one name; returns once there will be no more."""
