"""`MCPHubProvider`: the tools of downstream servers as methods of the protocol `mcp/v1`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Self

import anyio
from pydantic import BaseModel

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import MethodNotFoundError, ProviderUnavailableError
from gleitzeit.core.protocol import MethodSpec, Protocol
from gleitzeit.core.schema import check_parameters
from gleitzeit.core.sections import read_section
from gleitzeit.providers.base import ProtocolProvider, Readiness, current_task
from gleitzeit_mcp.config import HubConfig, Server
from gleitzeit_mcp.results import result_of
from gleitzeit_mcp.tools import TOOL_METHOD, Tool, arguments_of, routes

if TYPE_CHECKING:  # the client takes long to import, and a hub without servers never needs it
    from gleitzeit_mcp.connection import Connection

SETTLE_LIMIT = 5.0
"""Seconds that a list or a description waits for servers that are still starting."""

CALL_LIMIT = 60.0
"""Seconds that a call without a deadline waits for its server to start."""

_SERVER_FILTER = {"type": "object", "properties": {"server": {"type": "string", "description": "only of this one"}}}

PROTOCOL = Protocol(
    "mcp/v1",
    name="MCP hub",
    description="Tools of downstream MCP servers",
    methods=[
        MethodSpec(
            "mcp/tools/list",
            description="List the tools of all downstream MCP servers",
            parameters=_SERVER_FILTER,
            read_only=True,
        ),
        MethodSpec("mcp/servers", description="Show each downstream MCP server and its state", read_only=True),
        MethodSpec("mcp/tool.*", description="Call a tool of a downstream MCP server"),
    ],
)


class MCPHubProvider(ProtocolProvider):
    """Holds the configured MCP servers open and calls their tools."""

    protocol = PROTOCOL
    config_model: ClassVar[type[BaseModel] | None] = HubConfig

    def __init__(self, provider_id: str, config: HubConfig | Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(provider_id, PROTOCOL.id, **{"description": PROTOCOL.description, **kwargs})
        section = read_section(HubConfig, config or {}, "mcp")
        self.servers = tuple(_with_roots(server, section.roots) for server in section.servers)
        self._connections: dict[str, Connection] = {}

    @classmethod
    def from_config(cls, provider_id: str, config: BaseModel | Mapping[str, Any]) -> Self:
        """The hub with the servers of its section."""
        return cls(provider_id, read_section(HubConfig, config, "mcp"))

    async def serve(self, *, task_status: Readiness) -> None:
        """Hold every server open, all of them started at once, until cancelled."""
        if not self.servers:
            task_status.started()
            return
        from gleitzeit_mcp.connection import Connection  # see above

        self._connections = {server.name: Connection(server) for server in self.servers}
        try:
            async with anyio.create_task_group() as tasks:
                for connection in self._connections.values():
                    tasks.start_soon(connection.supervise, name=f"MCP server {connection.server.name}")
                task_status.started()
        finally:
            self._connections = {}

    def connection(self, server: str) -> Connection:
        """The connection to one of the configured servers, while the hub runs."""
        return self._connections[server]

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Call a tool, or answer from what is known of the servers."""
        if method == "mcp/tools/list":
            return await self._list_tools(parameters.get("server"))
        if method == "mcp/servers":
            return await self._list_servers()
        task = current_task()
        connection, tool = await self._reach(method)
        arguments = arguments_of(tool, parameters)
        task.record(server=tool.server, protocol_version=connection.protocol_version)
        # The SDK calls back from a task of its own, where `current_task` is another one.
        answer = await connection.call(tool.name, arguments, task.report_progress)
        return result_of(tool.server, tool.name, answer)

    async def describe(self, method: str) -> MethodSpec | None:
        """The tool's own schema and hints; without them where its server is not up within a few seconds."""
        if not method.startswith(TOOL_METHOD):
            return self._fixed(method)
        try:
            _, tool = await self._find(method, SETTLE_LIMIT)
        except ProviderUnavailableError as error:
            return self._unlisted(method, str(error))
        return tool.spec(method)

    async def list_methods(self) -> Sequence[MethodSpec]:
        """The fixed methods, and a method for each tool of the servers that are up within a few seconds."""
        fixed = [spec for spec in PROTOCOL.methods.values() if not spec.name.endswith("*")]
        return [*fixed, *(tool.spec() for tool in await self._tools(SETTLE_LIMIT))]

    async def validate_request(self, method: str, parameters: dict[str, Any]) -> None:
        """Check a tool's arguments against its own schema, wherever in the parameters they stand."""
        if not method.startswith(TOOL_METHOD):
            await super().validate_request(method, parameters)
            return
        _, tool = await self._reach(method)
        check_parameters(method, tool.input_schema, arguments_of(tool, parameters))

    async def health_check(self) -> dict[str, Any]:
        """Always healthy, for one server that is down does not stop the others; with the state of each."""
        states = {name: connection.state for name, connection in self._connections.items()}
        return {"status": "healthy", "provider": self.provider_id, "protocol": self.protocol_id, "servers": states}

    async def _list_tools(self, server: str | None) -> dict[str, Any]:
        tools = [tool.to_dict() for tool in await self._tools(SETTLE_LIMIT) if server in (None, tool.server)]
        return {"tools": tools, "count": len(tools)}

    async def _list_servers(self) -> dict[str, Any]:
        servers = [connection.to_dict() for connection in self._connections.values()]
        return {"servers": servers, "count": len(servers)}

    async def _tools(self, limit: float) -> list[Tool]:
        await self._settle(self._connections.values(), limit)
        return [tool for connection in self._connections.values() for tool in connection.tools.values()]

    async def _settle(self, connections: Iterable[Connection], limit: float) -> None:
        with anyio.move_on_after(limit):
            for connection in connections:
                await connection.settled()

    async def _reach(self, method: str) -> tuple[Connection, Tool]:
        """The tool, on a server that is up before the task's time is over."""
        remaining = current_task().remaining
        limit = remaining if remaining is not None else CALL_LIMIT
        connection, tool = await self._find(method, limit, retry=True)
        await connection.ready(limit)
        return connection, tool

    async def _find(self, method: str, limit: float, *, retry: bool = False) -> tuple[Connection, Tool]:
        """The tool that a method's name means; `retry` gives a server that failed another chance.

        Raises `ProviderUnavailableError` where the server that it must be on is not up, `MethodNotFoundError` where
        none of the servers has it.
        """
        if self.servers and not self._connections:
            raise ProviderUnavailableError(f"{method}: the hub is not running", hint="open the registry first")
        pointed = [(self._connections[route.server], route.tool) for route in routes(method, self.servers)]
        for connection, _ in pointed:
            connection.wake(retry=retry)
        # One server that hangs must not delay a tool that is already found on another.
        for wait in (min(limit, SETTLE_LIMIT), limit):
            await self._settle((connection for connection, _ in pointed), wait)
            found = [(connection, connection.tools[name]) for connection, name in pointed if name in connection.tools]
            if found:
                return self._only(method, found)
        down = [connection for connection, _ in pointed if not connection.is_up()]
        if down and len(down) == len(pointed):
            raise down[0].unavailable()
        raise self._unknown(method, down)

    def _only(self, method: str, found: Sequence[tuple[Connection, Tool]]) -> tuple[Connection, Tool]:
        bare = method.removeprefix(TOOL_METHOD)
        if len(found) > 1 and all(tool.name == bare for _, tool in found):
            names = " or ".join(tool.method for _, tool in found)
            raise MethodNotFoundError(f'several servers have a tool for "{method}"', hint=f"write {names}")
        return found[0]

    def _unknown(self, method: str, down: Sequence[Connection]) -> MethodNotFoundError:
        known = [tool.method for connection in self._connections.values() for tool in connection.tools.values()]
        states = "".join(f'; server "{each.server.name}" is {each.state}' for each in down)
        spare = "mcp/tools/list shows the tools there are" if self.servers else "add the server under mcp.servers"
        hint = did_you_mean(method, known) or spare
        return MethodNotFoundError(f'no downstream server has a tool for "{method}"{states}', hint=hint)

    def _unlisted(self, method: str, reason: str) -> MethodSpec:
        servers = {server.name: server for server in self.servers}
        declared = any(servers[route.server].declares_idempotent(route.tool) for route in routes(method, self.servers))
        return MethodSpec(method, description=reason, parameters={"type": "object"}, idempotent=declared)

    def _fixed(self, method: str) -> MethodSpec:
        spec = PROTOCOL.methods.get(method)
        if spec is None:
            known = [name for name in PROTOCOL.methods if not name.endswith("*")]
            hint = did_you_mean(method, known) or f"a tool is called as {TOOL_METHOD}<server>.<tool>"
            raise MethodNotFoundError(f'the MCP hub has no method "{method}"', hint=hint)
        return spec


def _with_roots(server: Server, roots: tuple[str, ...]) -> Server:
    return server if server.roots is not None else server.model_copy(update={"roots": roots})
