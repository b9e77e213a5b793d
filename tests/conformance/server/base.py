"""`Tool`: one of those that the conformance suite calls by a fixed name."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import mcp_types as types
from mcp.shared.exceptions import MCPError

from gleitzeit.mcp_server.server import Context

Answer = types.CallToolResult | types.InputRequiredResult | dict[str, Any]
"""What a tool answers; a task is a dictionary, as it goes over the wire."""

Run = Callable[[Context, types.CallToolRequestParams], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool as the suite expects it, and what carries it out."""

    name: str
    description: str
    run: Run
    schema: Mapping[str, Any] = field(default_factory=lambda: {"type": "object"})

    @property
    def definition(self) -> types.Tool:
        """The tool as it is listed."""
        return types.Tool(name=self.name, description=self.description, input_schema=dict(self.schema))


def parameters(**properties: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a tool that needs all of `properties`."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def said(text: str) -> types.CallToolResult:
    """A result of one text."""
    return types.CallToolResult(content=[types.TextContent(type="text", text=text)])


def missing(capabilities: Mapping[str, Any]) -> MCPError:
    """What a client gets that has not declared what a request needs."""
    return MCPError(
        code=types.MISSING_REQUIRED_CLIENT_CAPABILITY,
        message="the client has not declared what this needs",
        data={"requiredCapabilities": dict(capabilities)},
    )
