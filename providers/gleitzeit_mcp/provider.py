"""`MCPHubProvider`: the tools of downstream servers as methods of the protocol `mcp/v1`."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel

from gleitzeit.core.errors import ProviderUnavailableError, UnsupportedError
from gleitzeit.core.findings import Finding
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.schema import check_parameters
from gleitzeit.core.sections import read_section
from gleitzeit.providers.base import ProtocolProvider, Readiness, TaskContext, current_task
from gleitzeit_mcp.catalog.tools import TOOL_METHOD, Tool, arguments_of
from gleitzeit_mcp.config import HubConfig
from gleitzeit_mcp.methods import FIXED, PROTOCOL, SAMPLING_METHOD
from gleitzeit_mcp.servers.nesting import place_of

if TYPE_CHECKING:  # what a hub without servers never needs
    from gleitzeit_mcp.forwarding.calls import Caller
    from gleitzeit_mcp.forwarding.content import Content
    from gleitzeit_mcp.hub import Hub
    from gleitzeit_mcp.servers.connection import Connection

PING_LIMIT = 10.0


class MCPHubProvider(ProtocolProvider):
    """Holds the configured MCP servers open and calls their tools."""

    protocol = PROTOCOL
    config_model: ClassVar[type[BaseModel] | None] = HubConfig

    def __init__(self, provider_id: str, config: HubConfig | Mapping[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(provider_id, PROTOCOL.id, **{"description": PROTOCOL.description, **kwargs})
        section = read_section(HubConfig, config or {}, "mcp")
        servers = tuple(
            server if server.roots is not None else server.model_copy(update={"roots": section.roots})
            for server in section.servers
        )
        self.section = section.model_copy(update={"servers": servers})
        self.servers = servers
        self._hub: Hub | None = None
        self._caller: Caller | None = None
        self._content: Content | None = None

    @classmethod
    def from_config(cls, provider_id: str, config: BaseModel | Mapping[str, Any]) -> Self:
        """The hub with the servers of its section."""
        return cls(provider_id, read_section(HubConfig, config, "mcp"))

    async def serve(self, *, task_status: Readiness) -> None:
        """Hold every server open, all of them started at once, until cancelled."""
        from gleitzeit_mcp.forwarding.calls import Caller  # see above
        from gleitzeit_mcp.forwarding.content import Content
        from gleitzeit_mcp.hub import Hub

        place = place_of(self.servers, os.environ)
        hub = self._hub = Hub(self.section, place)
        caller = self._caller = Caller(place, sampling=hub.sampling)
        self._content = Content(hub, caller)
        try:
            await hub.serve(task_status)
        finally:
            self._hub = self._caller = self._content = None

    def connection(self, server: str) -> Connection:
        """The connection to one of the configured servers, while the hub runs."""
        return self._running().connection(server)

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Call a tool, or ask the servers for something else."""
        task = current_task()
        if method.startswith(TOOL_METHOD):
            return await self._call(method, parameters, task)
        server = parameters.get("server")
        match method:
            case "mcp/tools/list":
                return await self._list_tools(server)
            case "mcp/servers":
                return await self._list_servers(parameters.get("wait", 0))
            case "mcp/ping":
                return await self._ping(parameters["server"], task)
            case "mcp/login":
                return await self._log_in(parameters["server"], task)
            case _:
                return await self._fetch(method, parameters, task)

    async def describe(self, method: str) -> MethodSpec | None:
        """The tool's own schema and hints; without them where its server is not up within a few seconds."""
        if not method.startswith(TOOL_METHOD):
            return self._fixed(method)
        from gleitzeit_mcp.hub import SETTLE_LIMIT  # see above

        hub = self._running()
        try:
            _, tool = await hub.find(method, SETTLE_LIMIT)
        except ProviderUnavailableError as error:
            return MethodSpec(
                method,
                description=str(error),
                parameters={"type": "object"},
                idempotent=hub.declares_idempotent(method),
            )
        spec = tool.spec(method)
        return replace(spec, calls=(SAMPLING_METHOD,)) if hub.sampling else spec

    async def list_methods(self) -> Sequence[MethodSpec]:
        """The fixed methods, and a method for each tool of the servers that are up within a few seconds."""
        tools = await self._hub.tools() if self._hub is not None else ()
        return [*FIXED.values(), *(tool.spec() for tool in tools)]

    async def validate_request(self, method: str, parameters: dict[str, Any]) -> None:
        """Check a tool's arguments against its own schema, wherever in the parameters they stand."""
        if not method.startswith(TOOL_METHOD):
            await super().validate_request(method, parameters)
            return
        _, tool = await self._reach(method, current_task())
        check_parameters(method, tool.input_schema, arguments_of(tool, parameters))

    async def examine(self) -> Sequence[Finding]:
        """What is wrong with each server, and how to mend it."""
        from gleitzeit_mcp.examination import examine  # only for `gleitzeit doctor`

        return await examine(self)

    async def _call(self, method: str, parameters: dict[str, Any], task: TaskContext) -> dict[str, Any]:
        from gleitzeit_mcp.forwarding.results import meta_of, result_of, warnings_of  # see above

        connection, tool = await self._reach(method, task)
        arguments = arguments_of(tool, parameters)
        agreement = connection.line().agreement
        task.record(server=tool.server, protocol_version=agreement.version)
        assert self._caller is not None
        answer = await self._caller.call(connection, tool, arguments, task)
        warnings = warnings_of(tool.output_schema, answer)
        if warnings:
            task.record(warnings=list(warnings))
        meta = meta_of(answer)
        if meta:
            task.record(meta=meta)
        return result_of(tool.server, tool.name, answer)

    async def _reach(self, method: str, task: TaskContext) -> tuple[Connection, Tool]:
        """The tool, on a server that is up before the task's time is over."""
        from gleitzeit_mcp.forwarding.calls import remaining  # see above

        return await self._running().reach(method, remaining(task))

    async def _list_tools(self, server: str | None) -> dict[str, Any]:
        tools = [tool.to_dict() for tool in await self._running().tools(server=server)] if self.servers else []
        return {"tools": tools, "count": len(tools)}

    async def _list_servers(self, wait: float) -> dict[str, Any]:
        connections = self._hub.connections.values() if self._hub is not None else ()
        if self._hub is not None and wait:
            await self._hub.settle(connections, wait)
        servers = [connection.to_dict() for connection in connections]
        return {"servers": servers, "count": len(servers)}

    async def _ping(self, server: str, task: TaskContext) -> dict[str, Any]:
        from gleitzeit_mcp.forwarding.calls import remaining  # see above
        from gleitzeit_mcp.session.eras import is_alive

        connection = self._running().connection(server)
        await connection.ready(remaining(task))
        line = connection.line()
        before = time.monotonic()
        if not await is_alive(line.session, line.agreement, min(PING_LIMIT, remaining(task))):
            line.pulse.doubt()
            raise ProviderUnavailableError(f'server "{server}" does not answer', hint="mcp/servers shows its state")
        return {"server": server, "seconds": round(time.monotonic() - before, 6)}

    async def _log_in(self, server: str, task: TaskContext) -> dict[str, Any]:
        from gleitzeit_mcp.credentials.login import log_in  # needed by few

        connection = self._running().connection(server)

        async def show(url: str) -> None:
            await task.report_progress(message=f"Open this address to log in: {url}")

        await log_in(connection.server, show)
        connection.wake(retry=True)
        return {"server": server, "logged_in": True}

    async def _fetch(self, method: str, parameters: Mapping[str, Any], task: TaskContext) -> dict[str, Any]:
        self._running()
        content, server = self._content, parameters.get("server")
        assert content is not None
        match method:
            case "mcp/resources/list":
                return await content.list_resources(server, task)
            case "mcp/prompts/list":
                return await content.list_prompts(server, task)
            case "mcp/resource.read":
                return await content.read_resource(parameters["uri"], server, task)
            case "mcp/prompt.get":
                return await content.get_prompt(parameters["name"], parameters.get("arguments") or {}, server, task)
            case _:
                self._fixed(method)
                raise UnsupportedError(f"{method} is not carried out")  # pragma: no cover - all are listed above

    def _running(self) -> Hub:
        if self._hub is None:
            raise ProviderUnavailableError("the MCP hub is not running", hint="open the registry first")
        return self._hub

    def _fixed(self, method: str) -> MethodSpec:
        if method not in PROTOCOL.methods:
            from gleitzeit_mcp.hub import fixed_method  # see above

            raise fixed_method(method, list(FIXED))
        return PROTOCOL.methods[method]
