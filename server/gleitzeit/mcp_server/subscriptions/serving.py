"""Telling clients of both eras what has changed, as part of a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcp.server import Server

from gleitzeit.mcp_server.subscriptions.base import Feed, ResourceWatch
from gleitzeit.mcp_server.subscriptions.changes import Changes
from gleitzeit.mcp_server.subscriptions.handshake import serve_sessions
from gleitzeit.mcp_server.subscriptions.listening import serve_listening


def serve_subscriptions(
    server: Server[Any], changes: Changes, watch: ResourceWatch | None = None, feeds: Sequence[Feed] = ()
) -> None:
    """Have `server` tell its clients what is published by `changes`, whatever era they speak.

    With `watch` they can also subscribe to single resources, and in the modern era to what the `feeds` add.
    """
    serve_sessions(server, changes, watch)
    serve_listening(server, changes, watch, feeds)
