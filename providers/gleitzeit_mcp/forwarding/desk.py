"""`Desk`: where requests for the hub's methods are carried out while it runs."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit.providers.base import TaskContext
from gleitzeit_mcp.catalog.tools import Tool, arguments_of
from gleitzeit_mcp.forwarding.calls import Caller, remaining
from gleitzeit_mcp.forwarding.content import Content
from gleitzeit_mcp.forwarding.results import meta_of, result_of, warnings_of
from gleitzeit_mcp.hub import Hub
from gleitzeit_mcp.methods import TOOL_METHOD, unknown_method
from gleitzeit_mcp.servers.connection import Connection
from gleitzeit_mcp.servers.liveness import PING_LIMIT
from gleitzeit_mcp.session.eras import is_alive


class Desk:
    """Calls tools, and asks the servers for whatever else the methods of `mcp/*` stand for."""

    def __init__(self, hub: Hub, caller: Caller) -> None:
        self.hub = hub
        self._caller = caller
        self._content = Content(hub, caller)

    async def carry_out(self, method: str, parameters: Mapping[str, Any], task: TaskContext) -> dict[str, Any]:
        """The result of one request. Raises `MethodNotFoundError` for a method that is none of the hub's."""
        if method.startswith(TOOL_METHOD):
            return await self._call(method, parameters, task)
        server = parameters.get("server")
        match method:
            case "mcp/tools/list":
                return await self._list_tools(server, parameters.get("wait"))
            case "mcp/servers":
                return await self._list_servers(parameters.get("wait", 0))
            case "mcp/resources/list":
                return await self._content.list_resources(server, task)
            case "mcp/resource.read":
                return await self._content.read_resource(parameters["uri"], server, task)
            case "mcp/prompts/list":
                return await self._content.list_prompts(server, task)
            case "mcp/prompt.get":
                arguments: Mapping[str, Any] = parameters.get("arguments", {})
                return await self._content.get_prompt(parameters["name"], arguments, server, task)
            case "mcp/ping":
                return await self._ping(parameters["server"], task)
            case "mcp/login":
                return await self._log_in(parameters["server"], task)
            case _:
                raise unknown_method(method)

    async def reach(self, method: str, task: TaskContext) -> tuple[Connection, Tool]:
        """The tool that a method means, on a server that is up before the task's time is over."""
        return self.hub.at_hand(method) or await self.hub.reach(method, remaining(task))

    async def _call(self, method: str, parameters: Mapping[str, Any], task: TaskContext) -> dict[str, Any]:
        connection, tool = await self.reach(method, task)
        task.record(server=tool.server, protocol_version=connection.line().agreement.version)
        answer = await self._caller.call(connection, tool, arguments_of(tool, parameters), task)
        warnings, meta = warnings_of(tool.output_schema, answer), meta_of(answer)
        if warnings:
            task.record(warnings=list(warnings))
        if meta:
            task.record(meta=meta)
        return result_of(tool.server, tool.name, answer, connection.redacted)

    async def _list_tools(self, server: str | None, wait: float | None) -> dict[str, Any]:
        tools = [tool.to_dict() for tool in await self.hub.tools(wait, server)]
        return {"tools": tools, "count": len(tools)}

    async def _list_servers(self, wait: float) -> dict[str, Any]:
        connections = self.hub.connections.values()
        if wait:
            await self.hub.settle(connections, wait)
        servers = [connection.to_dict() for connection in connections]
        return {"servers": servers, "count": len(servers)}

    async def _ping(self, server: str, task: TaskContext) -> dict[str, Any]:
        connection = self.hub.connection(server)
        await connection.ready(remaining(task))
        line = connection.line()
        before = time.monotonic()
        if not await is_alive(line.session, line.agreement, min(PING_LIMIT, remaining(task))):
            line.pulse.doubt()
            raise ProviderUnavailableError(f'server "{server}" does not answer', hint="mcp/servers shows its state")
        return {"server": server, "seconds": round(time.monotonic() - before, 6)}

    async def _log_in(self, server: str, task: TaskContext) -> dict[str, Any]:
        from gleitzeit_mcp.credentials.login import log_in  # needed by few, and imports the HTTP client

        connection = self.hub.connection(server)

        async def show(url: str) -> None:
            await task.report_progress(message=f"Open this address to log in: {url}")

        await log_in(connection.server, show)
        connection.wake(retry=True)
        return {"server": server, "logged_in": True}
