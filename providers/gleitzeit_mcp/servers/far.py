"""The transport to a server that is reached by a URL, with its credentials. Imports the HTTP client."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from gleitzeit.core.errors import ConfigurationError
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.credentials.headers import fixed_headers
from gleitzeit_mcp.credentials.redaction import redactor
from gleitzeit_mcp.transports.base import Transport
from gleitzeit_mcp.transports.http import HttpTransport
from gleitzeit_mcp.transports.remote import Redact, Remote
from gleitzeit_mcp.transports.sse import SseTransport

_SCHEMES: Mapping[str, frozenset[str]] = {
    "http": frozenset({"http", "https"}),
    "sse": frozenset({"http", "https"}),
    "websocket": frozenset({"ws", "wss"}),
}


def far_transport(server: Server, configured: Server | None = None) -> Transport:
    """The transport, with headers, and tokens where it has `oauth`."""
    url = server.url or ""
    _check(server, url)
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


def _check(server: Server, url: str) -> None:
    schemes = _SCHEMES[server.connection_type]
    try:
        parts = urlsplit(url)
        port_fits = parts.port is None or parts.port > 0
    except ValueError:
        parts, port_fits = urlsplit(""), False
    if not (port_fits and parts.scheme.lower() in schemes and parts.hostname):
        wanted = " or ".join(f"{scheme}://" for scheme in sorted(schemes))
        raise ConfigurationError(
            f'server "{server.name}": its url is not an address of connection_type {server.connection_type}',
            hint=f"it begins with {wanted}, and goes on with the host",
        )
