"""Which server, and which of its tools, a method's name means."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gleitzeit_mcp.config import Server
from gleitzeit_mcp.methods import TOOL_METHOD

_MOST_KNOWN = 10_000


@dataclass(frozen=True, slots=True)
class Route:
    """A server that a method's name points to, and the tool it would mean there; `bare` where it names no server."""

    server: str
    tool: str
    bare: bool = False


class RouteMap:
    """Leads from the names of methods to servers and tools; a name is looked into once."""

    def __init__(self, servers: Iterable[Server]) -> None:
        self._servers = tuple(servers)
        self._known: dict[str, Sequence[Route]] = {}

    def routes(self, method: str) -> Sequence[Route]:
        """The servers that a method's name points to by prefix or name, the longest match first.

        A name that points to none of them may be a bare tool of any server without a prefix.
        """
        found = self._known.get(method)
        if found is None:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            found = self._known[method] = routes(method, self._servers)
        return found

    def names(self, method: str) -> Sequence[str]:
        """All names of the tools that a method's name may mean."""
        named = {server.name: server for server in self._servers}
        names = [name for route in self.routes(method) for name in names_of(named[route.server], route.tool)]
        return tuple(dict.fromkeys((method, *names)))


def names_of(server: Server, tool: str) -> Sequence[str]:
    """The names of a tool as a method: by prefix, by its server, and bare where its server has no prefix."""
    bare = () if server.tool_prefix else ("",)
    return tuple(TOOL_METHOD + address + tool for address in (*server.addresses, *bare))


def routes(method: str, servers: Iterable[Server]) -> Sequence[Route]:
    """The same, for servers that are asked about once."""
    name = method.removeprefix(TOOL_METHOD)
    known = tuple(servers)
    matches = [(address, server) for server in known for address in server.addresses if name.startswith(address)]
    matches.sort(key=lambda match: len(match[0]), reverse=True)
    pointed = [Route(server.name, name[len(address) :]) for address, server in matches]
    return pointed or [Route(server.name, name, bare=True) for server in known if not server.tool_prefix]
