"""How a server is reached: by its command, or by its URL."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

import anyio
import mcp.client.sse
import mcp.client.streamable_http
from mcp.client._transport import Transport, TransportStreams
from mcp.shared._httpx_utils import create_mcp_http_client

from gleitzeit.core.errors import UnsupportedError
from gleitzeit_mcp.child import Child
from gleitzeit_mcp.command import find_command
from gleitzeit_mcp.config import Server


class Link(Protocol):
    """One way to one server, used for one connection."""

    def connect(self) -> Transport:
        """The transport of one connection."""
        ...

    def diagnosis(self) -> str:
        """What the other end left behind when the connection failed; empty where nothing is known."""
        ...


class Address:
    """A server that is reached by streamable HTTP, or by the older HTTP with SSE."""

    def __init__(self, server: Server, url: str) -> None:
        self._server = server
        self._url = url

    def connect(self) -> Transport:
        """The transport of one connection."""
        if self._server.connection_type == "sse":
            return mcp.client.sse.sse_client(self._url, headers=_headers(self._server))
        return self._streamable()

    def diagnosis(self) -> str:
        """The URL, as it stands in the configuration's terms."""
        return f"its url is {self._url.partition('?')[0]}"

    @asynccontextmanager
    async def _streamable(self) -> AsyncGenerator[TransportStreams, None]:
        async with (
            create_mcp_http_client(headers=_headers(self._server)) as client,
            mcp.client.streamable_http.streamable_http_client(self._url, http_client=client) as streams,
        ):
            yield streams


def link_to(server: Server, ended: anyio.Event) -> Link:
    """The way to a server whose variables are filled in; `ended` is set where the other end is seen to be gone.

    Raises `ConfigurationError` where its command cannot be found, `UnsupportedError` for a WebSocket.
    """
    if server.connection_type == "stdio":
        return Child(find_command(server), ended)
    if server.connection_type == "websocket":
        raise UnsupportedError(
            f'server "{server.name}": this version has no WebSocket client yet',
            hint="use connection_type http, sse or stdio, if the server has one of them",
        )
    return Address(server, server.url or "")


def _headers(server: Server) -> dict[str, str]:
    token = {"Authorization": f"Bearer {server.auth_token}"} if server.auth_token else {}
    return {**token, **server.headers}
