"""The transport to a server that is reached by a URL, with its credentials. Imports the HTTP client."""

from __future__ import annotations

from gleitzeit_mcp.config import Server
from gleitzeit_mcp.credentials.headers import fixed_headers
from gleitzeit_mcp.credentials.redaction import redactor
from gleitzeit_mcp.environment import check_address
from gleitzeit_mcp.transports.base import Transport
from gleitzeit_mcp.transports.http import HttpTransport
from gleitzeit_mcp.transports.remote import Redact, Remote
from gleitzeit_mcp.transports.sse import SseTransport


def far_transport(server: Server, configured: Server | None = None) -> Transport:
    """The transport, with headers, and tokens where it has `oauth`."""
    url = server.url or ""
    check_address(server)
    headers, redact = fixed_headers(server), redactor(server, configured)
    if server.connection_type == "websocket":
        from gleitzeit_mcp.transports.websocket import WebSocketTransport  # few servers need it

        return WebSocketTransport(Remote(server.name, url, redact), headers)
    transport = SseTransport if server.connection_type == "sse" else HttpTransport
    if server.oauth is None:
        return transport(Remote(server.name, url, redact), headers)
    from gleitzeit_mcp.credentials.oauth import Tokens  # few servers need it
    from gleitzeit_mcp.credentials.tokens import TokenFile

    tokens = Tokens(server, TokenFile(server.name, url))
    return transport(Remote(server.name, url, _both(redact, tokens.redact)), headers, tokens)


def _both(first: Redact, second: Redact) -> Redact:
    return lambda text: second(first(text))
