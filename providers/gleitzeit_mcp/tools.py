"""The tools of downstream servers, and which of them a method's name means."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gleitzeit.core.protocol import MethodSpec
from gleitzeit_mcp.config import Server

TOOL_METHOD = "mcp/tool."


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool as its server lists it, and the method by which it is reached."""

    server: str
    name: str
    method: str
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None = None
    read_only: bool = False
    idempotent: bool = False

    def spec(self, method: str | None = None) -> MethodSpec:
        """The tool as a method, under its first name or the one it was asked for by."""
        return MethodSpec(
            name=method or self.method,
            description=self.description,
            parameters=self.input_schema,
            returns=self.output_schema,
            read_only=self.read_only,
            idempotent=self.idempotent,
        )

    def to_dict(self) -> dict[str, Any]:
        """The tool as `mcp/tools/list` shows it."""
        return {
            "name": self.name,
            "server": self.server,
            "method": self.method,
            "description": self.description,
            "input_schema": dict(self.input_schema),
        }


def method_of(server: Server, tool: str) -> str:
    """The first name of a tool: by its server's prefix, else by its server's name."""
    return TOOL_METHOD + (server.tool_prefix or server.name + ".") + tool


@dataclass(frozen=True, slots=True)
class Route:
    """A server that a method's name points to, and the tool it would mean there."""

    server: str
    tool: str


def routes(method: str, servers: Iterable[Server]) -> Sequence[Route]:
    """The servers that a method's name points to by prefix or name, the longest match first.

    A name that points to none of them may be a bare tool of any server without a prefix.
    """
    name = method.removeprefix(TOOL_METHOD)
    addresses = [(address, server) for server in servers for address in _addresses(server)]
    matches = [(address, server) for address, server in addresses if name.startswith(address)]
    matches.sort(key=lambda match: len(match[0]), reverse=True)
    pointed = [Route(server.name, name[len(address) :]) for address, server in matches]
    return pointed or [Route(server.name, name) for server in servers if not server.tool_prefix]


def _addresses(server: Server) -> list[str]:
    return list(dict.fromkeys(address for address in (server.tool_prefix, server.name + ".") if address))


def arguments_of(tool: Tool, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What of a task's parameters goes to the tool: `arguments:` where that is how they are given, else all.

    `timeout` is the task's own, unless the tool has a parameter of that name.
    """
    declared: Mapping[str, Any] = tool.input_schema.get("properties") or {}
    own = {key: value for key, value in parameters.items() if key != "timeout" or "timeout" in declared}
    wrapped = own.get("arguments")
    if "arguments" not in declared and len(own) == 1 and isinstance(wrapped, Mapping):
        return {str(key): value for key, value in wrapped.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]  # JSON
    return own
