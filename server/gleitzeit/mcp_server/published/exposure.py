"""Which tools of downstream servers are published: those that `server.expose_tools` names and the policy allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from gleitzeit.application import Application
from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.findings import Finding
from gleitzeit.mcp_server.published.names import server_tool, server_tool_named

_METHOD = "mcp/tool."


async def exposed_tools(application: Application, wait: float | None = None) -> list[dict[str, Any]]:
    """The tools, as `mcp/tools/list` shows them; of servers that are starting, those that are up within `wait` seconds.

    Of two that have one name, as only a hostile server brings about, the first one counts.
    """
    if not application.config.server.expose_tools:
        return []
    found = await application.server_tools(wait=wait)
    named = {_name(tool): tool for tool in reversed(found) if is_exposed(application, str(tool["method"]))}
    return [named[name] for name in sorted(named)]


async def examine_exposure(application: Application) -> list[Finding]:
    """What is to be said of each pattern that publishes no tool of any server that is up."""
    globs = application.config.server.expose_tools
    if not globs:
        return []
    found = [names for tool in await application.server_tools() if (names := _names(application, str(tool["method"])))]
    idle = [glob for glob in globs if not any(_matches(glob, names) for names in found)]
    hint = "`gleitzeit methods` lists their names; a pattern is written as `SERVER.TOOL`, or with the server's prefix"
    return [Finding("server.expose_tools", "warning", f"{glob!r} matches no tool of a server", hint) for glob in idle]


async def exposed_method(application: Application, name: str) -> str | None:
    """The method that a published tool stands for; nothing where there is none of that name."""
    if not application.config.server.expose_tools:
        return None
    for method in _read_back(name):
        if is_exposed(application, method) and await _exists(application, method):
            return method
    found = await exposed_tools(application)
    return next((str(tool["method"]) for tool in found if _name(tool) == name), None)


def is_exposed(application: Application, method: str) -> bool:
    """Whether a downstream tool may be shown as a tool, whichever of its names the configuration has."""
    names = _names(application, method)
    return any(_matches(glob, names) for glob in application.config.server.expose_tools)


def _names(application: Application, method: str) -> list[str]:
    return [name for known in application.allowed_names(method) for name in (known, known.removeprefix(_METHOD))]


def _matches(glob: str, names: Iterable[str]) -> bool:
    return any(fnmatchcase(name, glob) for name in names)


def _name(tool: Mapping[str, Any]) -> str:
    return server_tool(str(tool["server"]), str(tool["name"]))


def _read_back(name: str) -> Iterator[str]:
    """The method that a name says it is: no list has to be read for that."""
    told = server_tool_named(name)
    if told is not None:
        yield f"{_METHOD}{told[0]}.{told[1]}"


async def _exists(application: Application, method: str) -> bool:
    try:
        await application.describe(method)
    except GleitzeitError:
        return False
    return True
