"""Changes for clients of the modern era: a request whose response is all that they want to know."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, cast

import anyio
import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import event_matches, event_to_notification

from gleitzeit.mcp_server.access.caller import LOCAL, Caller, caller_of
from gleitzeit.mcp_server.subscriptions.base import Feed, ResourceWatch
from gleitzeit.mcp_server.subscriptions.changes import Changes
from gleitzeit.mcp_server.subscriptions.mailbox import Mailbox
from gleitzeit.mcp_server.subscriptions.watching import LONGEST_URI, MOST_RESOURCES, watch_resource

logger = logging.getLogger(__name__)

MOST_STREAMS = 1024
MOST_OF_A_CALLER = 256
"""How many streams of all those one caller has that comes with a token: over SSE they are no requests of their own."""

Context = ServerRequestContext[Any, Any]


def serve_listening(
    server: Server[Any], changes: Changes, watch: ResourceWatch | None = None, feeds: Sequence[Feed] = ()
) -> None:
    """Have `server` answer `subscriptions/listen`: of lists, with `watch` of resources, and of what the `feeds` add."""
    listening = Listening(changes, watch, feeds)
    server.add_request_handler("subscriptions/listen", types.SubscriptionsListenRequestParams, listening.serve)


class Listening:
    """Serves all clients that listen; one that does not read keeps nobody else waiting."""

    def __init__(self, changes: Changes, watch: ResourceWatch | None, feeds: Sequence[Feed]) -> None:
        self._changes = changes
        self._watch = watch
        self._feeds = {feed.key: feed for feed in feeds}
        self._open = Counter[str]()

    async def serve(
        self, context: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Tell one client what it wants to know, until it leaves or nothing more follows."""
        if context.request_id is None:
            raise MCPError(code=types.INVALID_REQUEST, message="subscriptions/listen needs an id")
        name = self._admitted(caller_of(context))
        self._open[name] += 1
        try:
            stream = _Stream(context, await self._honored(context, params.notifications))
            with self._changes.delivering(stream.mailbox):
                await stream.tell(self._watch, self._feeds)
            return types.SubscriptionsListenResult(_meta=stream.meta)
        finally:
            self._open[name] -= 1

    def _admitted(self, caller: Caller) -> str:
        """The name of a caller for whom there is room. Raises `MCPError`."""
        full = self._open.total() >= MOST_STREAMS
        if full or (caller != LOCAL and self._open[caller.name] >= MOST_OF_A_CALLER):
            raise MCPError(code=types.INTERNAL_ERROR, message="too many clients listen already; try again later")
        return caller.name

    async def _honored(self, context: Context, wanted: types.SubscriptionFilter) -> types.SubscriptionFilter:
        """Of what a client asks for, what it will be told."""
        uris = [uri for uri in wanted.resource_subscriptions or () if len(uri) <= LONGEST_URI][:MOST_RESOURCES]
        asked = wanted.model_extra or {}
        added = {
            key: list(await feed.honored(context, asked[key])) for key, feed in self._feeds.items() if key in asked
        }
        return types.SubscriptionFilter(
            tools_list_changed=wanted.tools_list_changed or None,
            prompts_list_changed=wanted.prompts_list_changed or None,
            resources_list_changed=wanted.resources_list_changed or None,
            resource_subscriptions=uris or None,
            **added,
        )


class _Stream:
    """One response that goes on."""

    def __init__(self, context: Context, honored: types.SubscriptionFilter) -> None:
        self._context = context
        self._honored = honored
        self._uris = frozenset(honored.resource_subscriptions or ())
        self.meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: context.request_id}
        self.mailbox = Mailbox(lambda event: event_matches(honored, self._uris, event))

    async def tell(self, watch: ResourceWatch | None, feeds: Mapping[str, Feed]) -> None:
        """Say what will be told, and tell it until the mailbox is closed."""
        params = types.SubscriptionsAcknowledgedNotificationParams(notifications=self._honored, _meta=self.meta)
        await self._send(types.SubscriptionsAcknowledgedNotification(params=params))
        async with anyio.create_task_group() as tasks:
            if watch is not None:
                for uri in self._uris:
                    tasks.start_soon(watch_resource, watch, self._context, uri, self.mailbox)
            for key, names in (self._honored.model_extra or {}).items():
                for name in names:
                    tasks.start_soon(self._follow, feeds[key], name)
            async for event in self.mailbox.events():
                await self._send(event_to_notification(event, self.meta))
            tasks.cancel_scope.cancel()

    async def _follow(self, feed: Feed, name: str) -> None:
        try:
            await feed.follow(self._context, name, partial(self._tell, feed.method))
        except Exception:  # what one of them breaks at must not end the others
            logger.exception("%s cannot be told of any more", feed.key)

    async def _tell(self, method: str, params: Mapping[str, Any]) -> None:
        await self._send(_Added(method=method, params={**params, "_meta": self.meta}))

    async def _send(self, notification: types.ServerNotification | _Added) -> None:
        await self._context.session.send_notification(
            cast("types.ServerNotification", notification), related_request_id=self._context.request_id
        )


class _Added(types.Notification[dict[str, Any], str]):
    """A notification that an extension has defined."""
