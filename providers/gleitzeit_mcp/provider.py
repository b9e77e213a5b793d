"""`MCPHubProvider`: the tools of downstream servers as methods of the protocol `mcp/v1`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit.core.findings import Finding
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.schema import check_parameters
from gleitzeit.core.sections import read_section
from gleitzeit.providers.base import ProtocolProvider, Readiness, current_task
from gleitzeit_mcp.catalog.routes import RouteMap
from gleitzeit_mcp.catalog.tools import arguments_of
from gleitzeit_mcp.config import HubConfig
from gleitzeit_mcp.methods import FIXED, PROTOCOL, SAMPLING_METHOD, TOOL_METHOD, unknown_method

if TYPE_CHECKING:  # imported when the hub is opened, for most processes never do that
    from gleitzeit_mcp.forwarding.desk import Desk
    from gleitzeit_mcp.servers.connection import Connection


class MCPHubProvider(ProtocolProvider):
    """Holds the configured MCP servers open and calls their tools."""

    protocol = PROTOCOL
    config_model: ClassVar[type[BaseModel] | None] = HubConfig

    def __init__(self, provider_id: str, config: HubConfig | Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(provider_id, PROTOCOL.id, **{"description": PROTOCOL.description, **kwargs})
        section = read_section(HubConfig, config or {}, "mcp")
        self.servers = tuple(
            server if server.roots is not None else server.model_copy(update={"roots": section.roots})
            for server in section.servers
        )
        self._section = section.model_copy(update={"servers": self.servers})
        self._map = RouteMap(self.servers)
        self._desk: Desk | None = None

    @classmethod
    def from_config(cls, provider_id: str, config: BaseModel | Mapping[str, Any]) -> Self:
        """The hub with the servers of its section."""
        return cls(provider_id, read_section(HubConfig, config, "mcp"))

    async def serve(self, *, task_status: Readiness) -> None:
        """Hold every server open, all of them started at once, until cancelled."""
        from gleitzeit_mcp.forwarding.calls import Caller  # see above
        from gleitzeit_mcp.forwarding.desk import Desk
        from gleitzeit_mcp.hub import Hub
        from gleitzeit_mcp.servers.nesting import place_of

        place = place_of(self.servers, os.environ)
        hub = Hub(self._section, place, self.announce)
        self._desk = Desk(hub, Caller(place, sampling=hub.sampling))
        try:
            await hub.serve(task_status)
        finally:
            self._desk = None

    def connection(self, server: str) -> Connection:
        """The connection to one of the configured servers, while the hub runs."""
        return self._running().hub.connection(server)

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Call a tool, or ask the servers for something else."""
        return await self._running().carry_out(method, parameters, current_task())

    def names_of(self, method: str) -> Sequence[str]:
        """A tool is called by its server's prefix as well as by its server's name."""
        return self._map.names(method) if method.startswith(TOOL_METHOD) else (method,)

    async def describe(self, method: str) -> MethodSpec | None:
        """The tool's own schema and hints; without them where its server is not up within a few seconds."""
        if not method.startswith(TOOL_METHOD):
            if method not in PROTOCOL.methods:
                raise unknown_method(method)
            return PROTOCOL.methods[method]
        hub = self._running().hub
        try:
            tool = await hub.described(method)
        except ProviderUnavailableError as error:
            idempotent = hub.declares_idempotent(method)
            return MethodSpec(method, str(error), {"type": "object"}, idempotent=idempotent)
        spec = tool.spec(method)
        return replace(spec, calls=(SAMPLING_METHOD,)) if hub.sampling else spec

    async def list_methods(self) -> Sequence[MethodSpec]:
        """The fixed methods, and a method for each tool of the servers that are up within a few seconds."""
        tools = await self._desk.hub.tools() if self._desk is not None else ()
        return [*FIXED.values(), *(tool.spec() for tool in tools)]

    async def validate_request(self, method: str, parameters: dict[str, Any]) -> None:
        """Check a tool's arguments against its own schema, wherever in the parameters they stand."""
        if not method.startswith(TOOL_METHOD):
            await super().validate_request(method, parameters)
            return
        _, tool = await self._running().reach(method, current_task())
        check_parameters(method, tool.input_schema, arguments_of(tool, parameters))

    async def examine(self) -> Sequence[Finding]:
        """What is wrong with each server, and how to mend it."""
        from gleitzeit_mcp.examination import examine  # only for `gleitzeit doctor`

        return await examine(self)

    async def examine_settings(self) -> Sequence[Finding]:
        """What the settings of each server say before it is started."""
        from gleitzeit_mcp.examination import examine_settings  # as above

        return await examine_settings(self.servers)

    def _running(self) -> Desk:
        if self._desk is None:
            raise ProviderUnavailableError("the MCP hub is not running", hint="open the registry first")
        return self._desk
