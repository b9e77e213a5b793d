"""A server that asks its client for the roots, in the protocol era that has no session."""

from __future__ import annotations

from typing import Annotated

from mcp.server import MCPServer
from mcp.server.mcpserver import ListRoots, Resolve
from mcp_types import ListRootsResult

server = MCPServer("rooted")


def ask() -> ListRoots:
    return ListRoots()


@server.tool()
def roots(offered: Annotated[ListRootsResult, Resolve(ask)]) -> list[str]:
    """Show the roots that the client offers."""
    return [str(root.uri) for root in offered.roots]


if __name__ == "__main__":
    server.run()
