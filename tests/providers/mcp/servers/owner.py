"""A process that holds a hub open until it is killed: `owner.py SECTION METHOD` prints what the method answered."""

from __future__ import annotations

import json
import sys

import anyio

from gleitzeit_mcp import MCPHubProvider


async def main() -> None:
    """Open the hub, call, and stay."""
    hub = MCPHubProvider("mcp", json.loads(sys.argv[1]))
    async with anyio.create_task_group() as tasks:
        await tasks.start(hub.serve)
        sys.stdout.write(json.dumps(await hub.handle_request(sys.argv[2], {})) + "\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main)
