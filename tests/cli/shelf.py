"""A downstream server with two tools, without an SDK that takes a second to import."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.providers.mcp.servers.raw import Call, RawServer, Result, structured

GOOD: dict[str, Any] = {
    "name": "good",
    "command": [sys.executable, "-S", "-m", "tests.cli.shelf"],
    "working_dir": str(Path(__file__).parents[2]),
}
TOPIC = {"type": "object", "properties": {"topic": {"type": "string"}}, "required": ["topic"]}

server = RawServer("shelf")


def search(_call: Call) -> Result:
    """List the books."""
    return structured(books=[])


def read(_call: Call) -> Result:
    """Give back a text."""
    return structured(text="")


if __name__ == "__main__":
    for name in list(server.listed):
        server.withdraw(name)
    server.tool(search, description="List the books on a topic.", inputSchema=TOPIC)
    server.tool(read, description="Read a book.")
    server.serve()
