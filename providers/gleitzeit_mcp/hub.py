"""`Hub`: all downstream servers, and which of them a method means."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress

import anyio

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import (
    MethodNotFoundError,
    NotFoundError,
    ProviderUnavailableError,
)
from gleitzeit.providers.base import Readiness
from gleitzeit_mcp.catalog.routes import Route, RouteMap
from gleitzeit_mcp.catalog.tools import Tool
from gleitzeit_mcp.config import HubConfig
from gleitzeit_mcp.processes.guard import Guard
from gleitzeit_mcp.servers.connection import Connection
from gleitzeit_mcp.servers.nesting import Place

SETTLE_LIMIT = 5.0
"""Seconds that a list or a description waits for servers that are still starting."""


class Hub:
    """Holds the configured servers open for as long as `serve` runs, and calls `changed` when tools may be others."""

    def __init__(self, section: HubConfig, place: Place, changed: Callable[[], None] = lambda: None) -> None:
        self.servers = section.servers
        self._map = RouteMap(section.servers)
        self.sampling = section.sampling is not None
        self._guard = Guard()
        self.connections: Mapping[str, Connection] = {
            server.name: Connection(server, place, self._guard, changed, sampling=self.sampling)
            for server in section.servers
        }

    async def serve(self, task_status: Readiness) -> None:
        """Keep every server connected, all of them started at once, until cancelled."""
        try:
            async with anyio.create_task_group() as tasks:
                for connection in self.connections.values():
                    tasks.start_soon(connection.supervise, name=f"MCP server {connection.server.name}")
                task_status.started()
                await anyio.sleep_forever()  # a hub without servers is one too
        finally:
            self._guard.close()

    def connection(self, name: str) -> Connection:
        """The connection of a server. Raises `NotFoundError` naming the nearest."""
        if name not in self.connections:
            known = ", ".join(self.connections) or "none"
            hint = did_you_mean(name, self.connections) or f"known are {known} (mcp.servers)"
            raise NotFoundError(f'there is no server "{name}"', hint=hint)
        return self.connections[name]

    async def settle(self, connections: Iterable[Connection], limit: float) -> None:
        """Wait until it is known of each whether it works, but no longer than `limit` seconds."""
        with anyio.move_on_after(limit):
            for connection in connections:
                await connection.settled()

    async def tools(self, limit: float | None = None, server: str | None = None) -> Sequence[Tool]:
        """The tools of all servers; of one that is not up, those that it had another time."""
        chosen = self.connections.values() if server is None else [self.connection(server)]
        await self.settle(
            (connection for connection in chosen if not connection.tools), SETTLE_LIMIT if limit is None else limit
        )
        return [tool for connection in chosen for tool in connection.tools.values()]

    def at_hand(self, method: str) -> tuple[Connection, Tool] | None:
        """The tool that a method means, where that is known, and its server is up; most calls need not wait for it."""
        routes = self._map.routes(method)
        if len(routes) != 1:
            return None
        connection = self.connections[routes[0].server]
        tool = connection.at_hand(routes[0].tool)
        return None if tool is None else (connection, tool)

    async def reach(self, method: str, limit: float) -> tuple[Connection, Tool]:
        """The tool that a method means, on a server that is up within `limit` seconds; for one that is not at hand.

        Raises as `find` does.
        """
        deadline = time.monotonic() + limit
        connection, tool = await self.find(method, limit, retry=True, fresh=True)
        if not connection.is_up():
            await connection.ready(max(0.0, deadline - time.monotonic()))
        return connection, tool

    async def described(self, method: str) -> Tool:
        """The tool that a method means, as far as that is known within a few seconds. Raises as `find` does."""
        _, tool = self.at_hand(method) or await self.find(method, SETTLE_LIMIT)
        return tool

    async def find(
        self, method: str, limit: float, *, retry: bool = False, fresh: bool = False
    ) -> tuple[Connection, Tool]:
        """The tool that a method's name means; `retry` gives a server that failed another chance.

        `fresh` waits for a server to list its tools again before what it had another time is believed. Raises
        `ProviderUnavailableError` where the server that it must be on is not up, `MethodNotFoundError` where none of
        the servers has it, or several do and the name is none of theirs alone.
        """
        pointed = [(self.connections[route.server], route) for route in self._map.routes(method)]
        for connection, route in pointed:
            if fresh or not (connection.listed or route.tool in connection.tools):
                connection.wake(retry=retry)
        # One server that hangs must not delay a tool that is already found on another.
        first = min(limit, SETTLE_LIMIT)
        for wait in (0.0, first, limit - first):
            if wait:
                await self.settle([connection for connection, _ in pointed if not connection.is_up()], wait)
            if pointed and pointed[0][1].bare and not all(self._known(connection, fresh) for connection, _ in pointed):
                continue  # whoever is up first must not get what another one has
            found = [
                (connection, route, connection.tools[route.tool])
                for connection, route in pointed
                if route.tool in connection.tools and (connection.listed or not fresh)
            ]
            if found:
                return self._only(method, found)
        down = [connection for connection, _ in pointed if not connection.is_up()]
        if down and len(down) == len(pointed):
            raise down[0].unavailable()
        raise self._unknown(method, down)

    def _known(self, connection: Connection, fresh: bool) -> bool:
        """Whether it is known which tools a server has, or that it has none now."""
        return connection.listed or connection.state in ("failed", "stopped") or (not fresh and bool(connection.tools))

    def _only(self, method: str, found: Sequence[tuple[Connection, Route, Tool]]) -> tuple[Connection, Tool]:
        if len(found) > 1:  # only bare names can mean several tools: the configuration sees to that
            names = " or ".join(tool.method for _, _, tool in found)
            raise MethodNotFoundError(f'several servers have a tool for "{method}"', hint=f"write {names}")
        connection, _, tool = found[0]
        return connection, tool

    def _unknown(self, method: str, down: Sequence[Connection]) -> MethodNotFoundError:
        known = [tool.method for connection in self.connections.values() for tool in connection.tools.values()]
        states = "".join(f'; server "{each.server.name}" is {each.state}' for each in down)
        spare = "mcp/tools/list shows the tools there are" if self.servers else "add the server under mcp.servers"
        hint = did_you_mean(method, known) or self._switched_off(method) or spare
        return MethodNotFoundError(f'no downstream server has a tool for "{method}"{states}', hint=hint)

    def _switched_off(self, method: str) -> str | None:
        for route in self._map.routes(method):
            if not route.bare and not self.connections[route.server].server.offers(route.tool):
                return f'enabled_tools or disabled_tools of server "{route.server}" leave it out'
        return None

    def declares_idempotent(self, method: str) -> bool:
        """Whether the configuration says of a tool that nobody has listed that it may be called again."""
        found = self._map.routes(method)
        return any(self.connections[route.server].server.declares_idempotent(route.tool) for route in found)

    async def with_capability(self, capability: str, server: str | None, limit: float) -> Sequence[Connection]:
        """The servers that are up and have a feature such as `resources`; a named one has to have it.

        Raises `NotFoundError` for a server that there is not, `ProviderUnavailableError` where the named one is not up,
        `MethodNotFoundError` where it lacks the feature.
        """
        if server is not None:
            connection = self.connection(server)
            await connection.ready(limit)
            if not connection.line().agreement.offers(capability):
                raise MethodNotFoundError(
                    f'server "{server}" has no {capability}', hint="mcp/servers shows the servers"
                )
            return [connection]
        for connection in self.connections.values():
            connection.wake(retry=False)
        await self.settle(self.connections.values(), min(limit, SETTLE_LIMIT))
        up: list[Connection] = []
        for connection in self.connections.values():
            with suppress(ProviderUnavailableError):
                if connection.line().agreement.offers(capability):
                    up.append(connection)
        return up
