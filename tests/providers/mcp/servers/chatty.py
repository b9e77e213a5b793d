"""A server that prints to its stdout what is no message, and floods its stderr."""

from __future__ import annotations

import sys

from mcp.server import MCPServer

server = MCPServer("chatty")


@server.tool()
def flood(megabytes: int) -> str:
    """Write a lot to stderr before answering."""
    for _ in range(megabytes):
        sys.stderr.write(("x" * 1023 + "\n") * 1024)
    return "done"


if __name__ == "__main__":
    sys.stdout.write('Starting server ...\n\n{"not": "a message"}\n')
    sys.stdout.flush()
    server.run()
