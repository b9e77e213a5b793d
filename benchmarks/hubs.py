"""The hubs that are measured: how each is started for some servers, and how its host asks it for a tool."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peers.environment import python_of

ECHO = Path(__file__).with_name("echo_server.py")
SERVE = "import sys; from gleitzeit.cli import serve_stdio; sys.exit(serve_stdio())"

# What pip installs is compiled, and so are sources that have run before, unless the environment forbids it.
ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True, slots=True)
class Server:
    """A downstream server; a silent one never answers."""

    name: str
    silent: bool = False

    @property
    def command(self) -> Sequence[str]:
        """How every hub starts it."""
        return [sys.executable, "-I", "-S", str(ECHO), self.name, *(["--silent"] if self.silent else [])]

    def to_dict(self) -> dict[str, Any]:
        """The server as all hubs are told of it."""
        return {"name": self.name, "command": self.command}


@dataclass(frozen=True, slots=True)
class Hub:
    """A hub's process, and the parameters of `tools/call` for a tool of one server with these arguments."""

    name: str
    command: Sequence[str]
    tool_call: Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]]
    environment: Mapping[str, str] = field(default_factory=dict[str, str])


def several(count: int) -> list[Server]:
    """So many servers that answer."""
    return [Server(f"s{number}") for number in range(count)]


def as_argument(servers: Sequence[Server]) -> str:
    """The servers on a command line."""
    return json.dumps([server.to_dict() for server in servers])


def ours(servers: Sequence[Server], home: Path) -> Hub:
    """`gleitzeit mcp` as a host starts it, with the database that it has by default, in a folder of its own."""
    configuration = {"mcp": {"servers": [server.to_dict() for server in servers]}}
    (home / "config.yaml").write_text(json.dumps(configuration), encoding="utf-8")

    def tool_call(server: str, tool: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        method = f"mcp/tool.{server}.{tool}"
        return {"name": "call_method", "arguments": {"method": method, "parameters": arguments}}

    return Hub("Gleitzeit", [sys.executable, "-c", SERVE], tool_call, {**ENVIRONMENT, "GLEITZEIT_HOME": str(home)})


def floor(servers: Sequence[Server]) -> Hub:
    """The least that could do the same."""

    def tool_call(server: str, tool: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"name": f"{server}.{tool}", "arguments": arguments}

    return Hub("floor", [sys.executable, "-m", "benchmarks.hub_floor", as_argument(servers)], tool_call, ENVIRONMENT)


def fastmcp(servers: Sequence[Server]) -> Hub:
    """A FastMCP server in front of kept clients. Raises `NotInstalledError` where its packages can't be had."""

    def tool_call(server: str, tool: str, arguments: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"name": f"{server}_{tool}", "arguments": arguments}

    command = [str(python_of("fastmcp")), "-E", "-m", "benchmarks.peers.fastmcp", as_argument(servers)]
    return Hub("FastMCP", command, tool_call, ENVIRONMENT)
