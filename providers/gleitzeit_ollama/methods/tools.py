"""Tools of MCP servers that a model may call: which of them, and by what names."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from gleitzeit.core.data import is_list, is_mapping, is_object
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import LimitError, MethodNotFoundError, ValidationError

TOOL_METHOD = "mcp/tool."
LIST_METHOD = "mcp/tools/list"
STEPS = 8
MOST_TOOLS = 128

_ALL = f"{TOOL_METHOD}*"
_LONGEST_NAME = 64
_HASH = 8
_SHOWN = 20
_UNSAFE = re.compile(r"[^a-zA-Z0-9_-]")


def offers_downstream(tools: Any) -> bool:
    """Whether the parameter `tools` names tools of MCP servers, beside functions of the caller's own."""
    return isinstance(tools, str) or (is_list(tools) and any(isinstance(tool, str) for tool in tools))


def patterns_of(tools: Any) -> tuple[str, ...]:
    """The methods that the parameter `tools` names, each as a pattern. Raises `ValidationError` for what is no tool."""
    named = [tools] if isinstance(tools, str) else [tool for tool in tools if isinstance(tool, str)]
    return tuple(dict.fromkeys(_pattern(name.strip()) for name in named))


def functions_of(tools: Any) -> list[dict[str, Any]]:
    """The functions of the caller's own in the parameter `tools`."""
    return [tool for tool in tools if is_object(tool)] if is_list(tools) else []


def _pattern(name: str) -> str:
    if name in ("mcp", "mcp/*", "mcp/tool", "*"):
        return _ALL
    if name.startswith(TOOL_METHOD):
        return name
    if not name or "/" in name:
        raise ValidationError(
            f'llm/chat: tools: "{name}" names no tool of an MCP server',
            hint='"mcp" is all of them, "fs.*" those of the server fs, "fs.read_file" is one',
        )
    return TOOL_METHOD + name


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool: the `name` that the model has for it, and the `method` that it is called by."""

    name: str
    method: str
    description: str
    schema: Mapping[str, Any]

    @property
    def definition(self) -> dict[str, Any]:
        """The tool as the model is told of it."""
        function = {"name": self.name, "description": self.description, "parameters": dict(self.schema)}
        return {"type": "function", "function": function}

    def parameters(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """What its method is called with: wrapped, so that no argument is taken for a setting of the call."""
        declared = self.schema.get("properties")
        return dict(arguments) if is_mapping(declared) and "arguments" in declared else {"arguments": dict(arguments)}


class Toolbox:
    """The tools that a model may call, by the names that it has for them."""

    def __init__(self, tools: Iterable[Tool]) -> None:
        self._tools = {tool.name: tool for tool in tools}

    @property
    def definitions(self) -> list[dict[str, Any]]:
        """All of them as the model is told of them."""
        return [tool.definition for tool in self._tools.values()]

    def find(self, name: str) -> Tool | None:
        """The tool that a model means, which may write the name of its method."""
        return self._tools.get(name) or self._tools.get(safe_name(name.removeprefix(TOOL_METHOD)))

    def unknown(self, name: str) -> str:
        """What is said to a model that calls a tool which there is not."""
        names = list(self._tools)
        more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        close = did_you_mean(name, names)
        there = f"there are {', '.join(names[:_SHOWN])}{more}"
        return f'there is no tool "{name}"; {f"{close} " if close else ""}{there}'


def toolbox(listed: Sequence[Any], patterns: Sequence[str], functions: Sequence[Mapping[str, Any]]) -> Toolbox:
    """The tools of `mcp/tools/list` that any of `patterns` names, by names that none of `functions` has.

    Raises `MethodNotFoundError` for a pattern that fits none, and `LimitError` for more than a model can choose from.
    """
    tools = [tool for tool in listed if is_mapping(tool)]
    chosen = [tool for tool in tools if any(_fits(tool, pattern) for pattern in patterns)]
    for pattern in patterns:
        if not any(_fits(tool, pattern) for tool in chosen):
            raise _nothing_fits(pattern, tools)
    if len(chosen) > MOST_TOOLS:
        named = ", ".join(map(_short, patterns))
        raise LimitError(
            f'llm/chat: tools: "{named}" names {len(chosen)} tools, and {MOST_TOOLS} are the most',
            hint='name fewer, such as "fs.*" for those of the server fs',
        )
    names = safe_names([str(tool["method"]) for tool in chosen], taken=map(function_name, functions))
    return Toolbox(
        Tool(name, str(tool["method"]), str(tool.get("description") or ""), _schema(tool))
        for name, tool in zip(names, chosen, strict=True)
    )


def function_name(tool: Mapping[str, Any]) -> str:
    """The name of a function as it stands in `tools` and in a call of it."""
    function = tool.get("function")
    return str(function.get("name", "")) if is_mapping(function) else ""


def _fits(tool: Mapping[str, Any], pattern: str) -> bool:
    """Whether a pattern names a tool by its method, by its server, or means all of its server's."""
    server, name = str(tool.get("server")), str(tool.get("name"))
    names = (str(tool.get("method")), f"{TOOL_METHOD}{server}.{name}")
    bare = _short(pattern)
    return bare == server or any(fnmatchcase(known, pattern) for known in names) or ("." not in bare and bare == name)


def _short(pattern: str) -> str:
    return pattern.removeprefix(TOOL_METHOD)


def _nothing_fits(pattern: str, tools: Sequence[Mapping[str, Any]]) -> MethodNotFoundError:
    short = _short(pattern)
    if not tools:
        return MethodNotFoundError(
            f'llm/chat: tools: no MCP server has a tool, so none fits "{short}"',
            hint="servers stand in the configuration under mcp.servers; the method mcp/servers shows how they are",
        )
    methods = [_short(str(tool["method"])) for tool in tools]
    servers = list(dict.fromkeys(str(tool.get("server")) for tool in tools))
    close = did_you_mean(short, methods) or did_you_mean(short.partition(".")[0], servers)
    return MethodNotFoundError(
        f'llm/chat: tools: no tool of the MCP servers fits "{short}"',
        hint=close or f"the servers that have tools are {', '.join(servers[:_SHOWN])}; mcp/servers shows all",
    )


def _schema(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    schema = tool.get("input_schema")
    return schema if is_mapping(schema) else {"type": "object"}


def safe_names(methods: Sequence[str], taken: Iterable[str] = ()) -> list[str]:
    """Names that a model may have for methods, each always the same for its method among the same ones.

    One that would be another's, or one of `taken`, ends in a hash of its method, as one that is cut off does.
    """
    short = [safe_name(method.removeprefix(TOOL_METHOD)) for method in methods]
    counts = dict.fromkeys(taken, 1)
    for name in short:
        counts[name] = counts.get(name, 0) + 1
    return [
        name if counts[name] == 1 and len(name) <= _LONGEST_NAME else _hashed(name, method)
        for name, method in zip(short, methods, strict=True)
    ]


def safe_name(name: str) -> str:
    """The name without letters that names of tools may not have."""
    return _UNSAFE.sub("_", name)


def _hashed(name: str, method: str) -> str:
    mark = hashlib.sha256(method.encode("utf-8", "replace")).hexdigest()[:_HASH]
    return f"{name[: _LONGEST_NAME - _HASH - 1]}_{mark}"
