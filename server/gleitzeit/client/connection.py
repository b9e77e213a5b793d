"""`Connection`: an MCP client of a server, and what it comes to when the server goes away."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import anyio
import httpx2
from anyio.abc import TaskStatus
from mcp import Client, StdioServerParameters
from mcp.client.sse import sse_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult

from gleitzeit.client.refusals import Refusals
from gleitzeit.core.errors import ConnectionLostError, ProviderUnavailableError
from gleitzeit.core.groups import only_error, unwrapped

logger = logging.getLogger(__name__)

READ_SECONDS = 90.0

_LOSSES = (httpx2.TransportError, anyio.BrokenResourceError, anyio.ClosedResourceError)


class Connection:
    """Calls the tools of one server.

    The SDK's client lives in a task of its own: one that loses its server cancels the body that it was opened for, and
    that is the program, whose calls should fail instead.
    """

    def __init__(self, client: Client, name: str, refusals: Refusals) -> None:
        self._client = client
        self._refusals = refusals
        self._name = name
        self._left = anyio.Event()
        self._closed = False

    async def call(self, tool: str, arguments: Mapping[str, Any]) -> CallToolResult:
        """What a tool answers. Raises `ConnectionLostError` where no answer comes any more."""
        if self._closed:
            raise ConnectionLostError(f"{self._name}, {tool}: the connection is closed")
        try:
            return await self._client.call_tool(tool, dict(arguments))
        except MCPError as error:
            lost = ConnectionLostError(f"{self._name}, {tool}: {error}")
            raise self._refusals.error(self._name) or lost from error

    async def hold(self, *, task_status: TaskStatus[None]) -> None:
        """Keep the connection open until it is left, or lost, which whoever calls a tool is told."""
        opened = False
        try:
            async with self._client:
                opened = True
                task_status.started()
                await self._left.wait()
        except Exception as error:
            cause = only_error(error)
            if not opened:
                raise self._refusals.error(self._name) or _unreachable(self._name, cause) from error
            if not _is_loss(error):
                raise
            # After it was left, this is an answer that nobody waits for.
            logger.info("the connection to %s ended with %s: %s", self._name, type(cause).__name__, cause)
        finally:
            self._closed = True

    def leave(self) -> None:
        """Have it closed."""
        self._left.set()


@asynccontextmanager
async def open_connection(
    url: str | None, command: Sequence[str] | None, token: str | None = None
) -> AsyncGenerator[Connection]:
    """A connection to the server at `url`, which may want a `token`, or to one that `command` starts.

    Raises `ProviderUnavailableError` where there is none, and `ForbiddenError` where it does not take the token.
    """
    server: Any = StdioServerParameters(command=command[0], args=list(command[1:])) if command else None
    refusals = Refusals()
    if url is not None:
        server = _transport(url, {"Authorization": f"Bearer {token}"} if token else {}, refusals)
    client = Client(server, read_timeout_seconds=READ_SECONDS, cache=None)
    connection = Connection(client, url if url is not None else " ".join(command or ()), refusals)
    async with unwrapped(anyio.create_task_group()) as tasks:
        await tasks.start(connection.hold)
        try:
            yield connection
        finally:
            connection.leave()


@asynccontextmanager
async def _transport(url: str, headers: dict[str, str], refusals: Refusals) -> AsyncGenerator[Any]:
    """The streams to and from a server."""
    if urlsplit(url).path.endswith("/sse"):
        async with sse_client(url, headers, httpx_client_factory=refusals.client) as streams:
            yield streams
        return
    async with (
        refusals.client(headers) as http,
        streamable_http_client(url, http_client=http) as streams,
    ):
        yield streams


def _is_loss(error: Exception) -> bool:
    """Whether it says only that the other end, or ours, is not there any more."""
    if isinstance(error, ExceptionGroup):
        return cast("ExceptionGroup[Exception]", error).split(_LOSSES)[1] is None
    return isinstance(error, _LOSSES)


def _unreachable(name: str, error: BaseException) -> ProviderUnavailableError:
    return ProviderUnavailableError(
        f"no Gleitzeit server answers at {name}: {type(error).__name__}: {error}",
        hint="start one with `gleitzeit serve`, and give the address that it prints",
    )
