"""How downstream servers are reached, by all the names that hosts have for it."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

TRANSPORTS: Mapping[str, str] = {
    "stdio": "stdio",
    "http": "http",
    "streamable-http": "http",
    "streamableHttp": "http",
    "streamable_http": "http",
    "sse": "sse",
    "ws": "websocket",
    "websocket": "websocket",
}
"""The `connection_type` that a host's name for a transport means."""

SCHEMES: Mapping[str, tuple[str, ...]] = {
    "http": ("http", "https"),
    "sse": ("http", "https"),
    "websocket": ("ws", "wss"),
}
"""What the address of a server begins with, by its `connection_type`."""


def transport_of_url(url: str) -> str:
    """The `connection_type` of a server of which only the URL is known: `websocket` by its scheme, else `http`."""
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:
        return "http"
    return "websocket" if scheme in SCHEMES["websocket"] else "http"
