"""Changes for clients that begin with a handshake: pushed on their session, which stays open."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import anyio
import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.server.connection import Connection
from mcp.server.subscriptions import PromptsListChanged, ResourcesListChanged, ResourceUpdated, ServerEvent
from mcp.shared.exceptions import MCPError

from gleitzeit.mcp_server.subscriptions.base import ResourceWatch
from gleitzeit.mcp_server.subscriptions.changes import Changes
from gleitzeit.mcp_server.subscriptions.mailbox import Mailbox
from gleitzeit.mcp_server.subscriptions.watching import LONGEST_URI, MOST_RESOURCES, watch_resource

logger = logging.getLogger(__name__)

_KEY = "gleitzeit.subscriptions"

Context = ServerRequestContext[Any, Any]


def serve_sessions(server: Server[Any], changes: Changes, watch: ResourceWatch | None) -> None:
    """Have `server` tell its sessions of changes and, with `watch`, of the resources that they subscribe to."""

    async def begin(context: Context, _: types.NotificationParams) -> None:
        _session_of(context, changes)

    async def subscribe(context: Context, params: types.SubscribeRequestParams) -> types.EmptyResult:
        assert watch is not None
        _session_of(context, changes).subscribe(context, str(params.uri), watch)
        return types.EmptyResult()

    async def unsubscribe(context: Context, params: types.UnsubscribeRequestParams) -> types.EmptyResult:
        _session_of(context, changes).unsubscribe(str(params.uri))
        return types.EmptyResult()

    server.add_notification_handler("notifications/initialized", types.NotificationParams, begin)
    if watch is not None:
        server.add_request_handler("resources/subscribe", types.SubscribeRequestParams, subscribe)
        server.add_request_handler("resources/unsubscribe", types.UnsubscribeRequestParams, unsubscribe)


class Session:
    """One client: what it wants to know, and what finds that out and tells it."""

    def __init__(self, connection: Connection, changes: Changes) -> None:
        self._connection = connection
        self._changes = changes
        self._mailbox = Mailbox(self._wants)
        self._telling = anyio.CancelScope()
        self._watches: dict[str, anyio.CancelScope] = {}

    async def tell(self) -> None:
        """Tell the client of changes until it has gone; where it does not read, nobody but this waits."""
        with self._telling, self._changes.delivering(self._mailbox):
            try:
                async for event in self._mailbox.events():
                    await self._connection.notify(*_notification(event))
            except Exception:  # what one connection breaks at must not end the others
                logger.exception("a session cannot be told of changes any more")

    def subscribe(self, context: Context, uri: str, watch: ResourceWatch) -> None:
        """Tell the client of a resource too. Raises `MCPError` where it asks for too much."""
        if uri in self._watches:
            return
        if len(self._watches) >= MOST_RESOURCES or len(uri) > LONGEST_URI:
            message = f"a session subscribes to at most {MOST_RESOURCES} resources, of {LONGEST_URI} characters each"
            raise MCPError(code=types.INVALID_PARAMS, message=message)
        scope = self._watches[uri] = anyio.CancelScope()
        self._changes.tasks.start_soon(self._watch, scope, context, uri, watch)

    def unsubscribe(self, uri: str) -> None:
        """Tell the client no more of a resource."""
        scope = self._watches.pop(uri, None)
        if scope is not None:
            scope.cancel()

    def end(self) -> None:
        """Stop all that is done for the client."""
        for scope in (self._telling, *self._watches.values()):
            scope.cancel()

    async def _watch(self, scope: anyio.CancelScope, context: Context, uri: str, watch: ResourceWatch) -> None:
        with scope:
            await watch_resource(watch, context, uri, self._mailbox)

    def _wants(self, event: ServerEvent) -> bool:
        return not isinstance(event, ResourceUpdated) or event.uri in self._watches


def _session_of(context: Context, changes: Changes) -> Session:
    """The session that a request or notification belongs to; begun with the first, and ended with its connection."""
    connection = context.session._connection  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - no other way to it
    session: Session | None = connection.state.get(_KEY)
    if session is None:
        session = connection.state[_KEY] = Session(connection, changes)
        if connection.has_standalone_channel:
            connection.exit_stack.callback(session.end)
            changes.tasks.start_soon(session.tell)
    return session


def _notification(event: ServerEvent) -> tuple[str, Mapping[str, Any] | None]:
    if isinstance(event, ResourceUpdated):
        return "notifications/resources/updated", {"uri": event.uri}
    if isinstance(event, ResourcesListChanged):
        return "notifications/resources/list_changed", None
    kind = "prompts" if isinstance(event, PromptsListChanged) else "tools"
    return f"notifications/{kind}/list_changed", None
