"""The tools of downstream servers, as their servers list them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gleitzeit.core.data import is_object, kind_of
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.core.schema import LastingSchema
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.methods import TOOL_METHOD

_HINTS = frozenset({"readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"})


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool, and the method by which it is reached. `as_task` where its server insists on carrying it out as one.

    `annotations` are what it says of itself to hosts, as far as that is yes or no.
    """

    server: str
    name: str
    method: str
    description: str
    input_schema: Mapping[str, Any]
    output_schema: Mapping[str, Any] | None = None
    read_only: bool = False
    idempotent: bool = False
    as_task: bool = False
    title: str = ""
    annotations: Mapping[str, bool] = field(default_factory=dict[str, bool])

    @property
    def repeatable(self) -> bool:
        """Whether it may be called again when nobody knows what became of a call."""
        return self.read_only or self.idempotent

    def spec(self, method: str | None = None) -> MethodSpec:
        """The tool as a method, under its first name or the one it was asked for by."""
        return MethodSpec(
            name=method or self.method,
            description=self.description,
            parameters=self.input_schema,
            returns=None if self.output_schema is None else _with_text(self.output_schema),
            read_only=self.read_only,
            idempotent=self.idempotent,
        )

    def to_dict(self) -> dict[str, Any]:
        """The tool as `mcp/tools/list` shows it."""
        shown = {
            "name": self.name,
            "server": self.server,
            "method": self.method,
            "description": self.description,
            "input_schema": dict(self.input_schema),
        }
        optional = {"title": self.title, "annotations": dict(self.annotations)}
        return {**shown, **{key: value for key, value in optional.items() if value}}


@dataclass(frozen=True, slots=True)
class Catalog:
    """The tools that a server offers and may be called, and the others of its list.

    Those that can't be called are `dropped`, each with the reason; those that the settings leave out are `hidden`.
    """

    tools: Mapping[str, Tool] = field(default_factory=dict[str, Tool])
    dropped: Mapping[str, str] = field(default_factory=dict[str, str])
    hidden: Sequence[str] = ()


def read_catalog(server: Server, entries: Sequence[Any]) -> Catalog:
    """The tools of a list in its wire form; one that is malformed costs the others nothing."""
    tools: dict[str, Tool] = {}
    dropped: dict[str, str] = {}
    hidden: list[str] = []
    for entry in entries:
        name = str((entry.get("name") if is_object(entry) else None) or "(without a name)")
        problem = _problem(entry)
        if problem is not None:
            dropped[name] = problem
        elif name in tools:
            dropped[name] = "name: it is listed twice, and the first one counts"
        elif server.offers(name):
            tools[name] = _tool(server, entry)
        else:
            hidden.append(name)
    return Catalog(tools, dropped, hidden)


def _with_text(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """The schema of a task's result: what the tool declares, and beside it `text` and `content`."""
    properties = schema.get("properties", {})
    if schema.get("type") != "object" or not is_object(properties):
        return {"type": "object"}
    return {**schema, "properties": {"text": {"type": "string"}, "content": {"type": "array"}, **properties}}


def method_of(server: Server, tool: str) -> str:
    """The first name of a tool: by its server's prefix, else by its server's name."""
    return TOOL_METHOD + (server.tool_prefix or server.name + ".") + tool


def arguments_of(tool: Tool, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What of a task's parameters goes to the tool: `arguments:` where that is how they are given, else all.

    `timeout` is the task's own, unless the tool has a parameter of that name.
    """
    properties = tool.input_schema.get("properties")
    declared = properties if is_object(properties) else {}
    own = {key: value for key, value in parameters.items() if key != "timeout" or "timeout" in declared}
    wrapped = own.get("arguments")
    if "arguments" not in declared and len(own) == 1 and is_object(wrapped):
        return dict(wrapped)
    return own


def _problem(entry: Any) -> str | None:
    """What keeps an entry of a list from being a tool."""
    if not is_object(entry):
        return f"it is {kind_of(entry)}, not an object"
    name, schema = entry.get("name"), entry.get("inputSchema")
    if not isinstance(name, str) or not name:
        return "name: a text is required"
    if not is_object(schema):
        return "inputSchema: Field required" if schema is None else f"inputSchema: it is {kind_of(schema)}"
    if schema.get("type", "object") != "object":
        return f"inputSchema.type: it is {schema['type']!r}, and only an object can be passed"
    if not is_object(schema.get("properties", {})):
        return f"inputSchema.properties: it is {kind_of(schema['properties'])}, not an object"
    return None


def _tool(server: Server, entry: Mapping[str, Any]) -> Tool:
    hints, execution, returns = (entry.get(key) for key in ("annotations", "execution", "outputSchema"))
    hints = hints if is_object(hints) else {}
    described = entry.get("description") or entry.get("title") or ""
    return Tool(
        server=server.name,
        name=entry["name"],
        method=method_of(server, entry["name"]),
        description=described if isinstance(described, str) else "",
        input_schema=LastingSchema(entry["inputSchema"]),
        output_schema=returns if is_object(returns) else None,
        read_only=hints.get("readOnlyHint") is True,
        idempotent=hints.get("idempotentHint") is True or server.declares_idempotent(entry["name"]),
        as_task=is_object(execution) and execution.get("taskSupport") == "required",
        title=_title(entry, hints),
        annotations={key: value for key, value in hints.items() if key in _HINTS and isinstance(value, bool)},
    )


def _title(entry: Mapping[str, Any], hints: Mapping[str, Any]) -> str:
    titles = (entry.get("title"), hints.get("title"))
    return next((title for title in titles if isinstance(title, str)), "")
