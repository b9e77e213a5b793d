"""The protocol `mcp/v1`: the methods of the hub itself, and the pattern of those that its servers bring."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import MethodNotFoundError
from gleitzeit.core.protocol import MethodSpec, Protocol

_SERVER: Mapping[str, Any] = {"type": "string", "description": "only of this server"}
_NAMED: Mapping[str, Any] = {"type": "string", "description": "the server's name in the configuration"}
_WAIT: Mapping[str, Any] = {
    "type": "number",
    "minimum": 0,
    "maximum": 300,
    "description": "seconds for servers that are starting",
}

SAMPLING_METHOD = "llm/chat"
"""Who answers a server that asks for a model."""

TOOL_METHOD = "mcp/tool."
"""What the method of each tool begins with."""


def _object(*required: str, **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


def _counted(name: str, *texts: str, **more: Mapping[str, Any]) -> dict[str, Any]:
    """The schema of a list with its length; of each entry only the fields that everybody needs are named."""
    fields = {**dict.fromkeys(texts, _TEXT), **more}
    listed = {"type": "array", "items": {"type": "object", "properties": fields}}
    return {"type": "object", "properties": {name: listed, "count": _COUNT}}


_TEXT: Mapping[str, Any] = {"type": "string"}
_COUNT: Mapping[str, Any] = {"type": "integer"}
_OBJECTS: Mapping[str, Any] = {"type": "array", "items": {"type": "object"}}

PROTOCOL = Protocol(
    "mcp/v1",
    name="MCP hub",
    description="Tools of downstream MCP servers",
    methods=[
        MethodSpec(
            "mcp/tools/list",
            description="List the tools of all downstream MCP servers",
            parameters=_object(server=_SERVER, wait=_WAIT),
            returns=_counted("tools", "name", "server", "method", "description", input_schema={"type": "object"}),
            read_only=True,
        ),
        MethodSpec(
            "mcp/servers",
            description="Show each downstream MCP server and its state",
            parameters=_object(wait=_WAIT),
            returns=_counted("servers", "name", "state", "transport", tools=_COUNT, restarts=_COUNT),
            read_only=True,
        ),
        MethodSpec(
            "mcp/resources/list",
            description="List the resources of downstream MCP servers, and the templates for more",
            parameters=_object(server=_SERVER),
            returns=_counted("resources", "uri", "name", "server"),
            read_only=True,
        ),
        MethodSpec(
            "mcp/resource.read",
            description="Read a resource of a downstream MCP server",
            parameters=_object("uri", uri={"type": "string"}, server=_SERVER),
            returns={"type": "object", "properties": {"text": _TEXT, "contents": _OBJECTS, "server": _TEXT}},
            read_only=True,
        ),
        MethodSpec(
            "mcp/prompts/list",
            description="List the prompts of downstream MCP servers",
            parameters=_object(server=_SERVER),
            returns=_counted("prompts", "name", "server"),
            read_only=True,
        ),
        MethodSpec(
            "mcp/prompt.get",
            description="Get a prompt of a downstream MCP server, filled in",
            parameters=_object("name", name={"type": "string"}, arguments={"type": "object"}, server=_SERVER),
            returns={"type": "object", "properties": {"messages": _OBJECTS, "description": _TEXT}},
            read_only=True,
        ),
        MethodSpec(
            "mcp/ping",
            description="Ask a downstream MCP server whether it lives",
            parameters=_object("server", server=_NAMED),
            returns={"type": "object", "properties": {"server": _TEXT, "seconds": {"type": "number"}}},
            read_only=True,
        ),
        MethodSpec(
            "mcp/login",
            description="Log in to a downstream MCP server that asks for OAuth, with a person's browser",
            parameters=_object("server", server=_NAMED),
        ),
        MethodSpec(f"{TOOL_METHOD}*", description="Call a tool of a downstream MCP server"),
    ],
)

FIXED: Mapping[str, MethodSpec] = {name: spec for name, spec in PROTOCOL.methods.items() if not name.endswith("*")}
"""The methods that need no server to be known."""


def unknown_method(method: str) -> MethodNotFoundError:
    """What is said of a method that is neither a tool nor one of the hub's own."""
    hint = did_you_mean(method, FIXED) or f"a tool is called as {TOOL_METHOD}<server>.<tool>"
    return MethodNotFoundError(f'the MCP hub has no method "{method}"', hint=hint)
