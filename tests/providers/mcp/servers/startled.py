"""A server of the newer era that ends at the first question of its life, and at none after that: `startled.py FILE`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from tests.providers.mcp.servers.raw import RawServer, Result

server = RawServer("startled")
lived = Path(sys.argv[1])


def discover(request: dict[str, Any]) -> Result:
    """Show what it can, or end."""
    if not lived.exists():
        lived.touch()
        os._exit(1)
    return server.discover(request)


if __name__ == "__main__":
    server.methods["server/discover"] = discover
    server.serve()
