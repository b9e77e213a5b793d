"""A server that prints its complaint to stdout and leaves, until the file named by the first argument exists."""

from __future__ import annotations

import sys
from pathlib import Path

from mcp.server import MCPServer

server = MCPServer("fickle")


@server.tool()
def hello() -> str:
    """Greet."""
    return "hello"


if __name__ == "__main__":
    if not Path(sys.argv[1]).exists():
        sys.stdout.write("Error: no licence\n")
        sys.exit(1)
    server.run()
