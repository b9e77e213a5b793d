"""How downstream servers are reached, by all the names that hosts have for it."""

from __future__ import annotations

from collections.abc import Mapping

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
