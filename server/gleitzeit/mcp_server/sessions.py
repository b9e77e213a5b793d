"""`Sessions`: what clients of the handshake era keep open, with a part for each caller."""

from __future__ import annotations

from typing import Any

from mcp.server import Server
from mcp.server.auth.middleware.bearer_auth import AuthorizationContext
from mcp.server.streamable_http import StreamableHTTPServerTransport
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

LARGEST_BODY = 24 * 1024 * 1024
_IDLE_SESSION = 30 * 60
_MOST_SESSIONS = 1_000

UNCHECKED = TransportSecuritySettings(enable_dns_rebinding_protection=False)
"""The guard has looked at the names and origins of all requests already, of which the SDK knows fewer."""


class Sessions(StreamableHTTPSessionManager):
    """Serves both eras; no caller that comes with a token has more than `most` sessions."""

    def __init__(self, server: Server[Any], most: int) -> None:
        super().__init__(
            server,
            security_settings=UNCHECKED,
            session_idle_timeout=_IDLE_SESSION,
            max_sessions=_MOST_SESSIONS,
            max_request_body_size=LARGEST_BODY,
        )
        self._most = most

    def _admit_session(self, requestor: AuthorizationContext | None) -> StreamableHTTPServerTransport | None:
        owners = self._session_owners.values()
        if (
            requestor is not None
            and sum(owner["client_id"] == requestor["client_id"] for owner in owners) >= self._most
        ):
            return None
        return super()._admit_session(requestor)
