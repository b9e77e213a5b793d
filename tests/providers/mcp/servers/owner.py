"""A process that holds a hub open until it is killed, and prints the process id of its server `toolbox`."""

from __future__ import annotations

import json
import sys

import anyio

from gleitzeit_mcp import MCPHubProvider


async def main() -> None:
    """Open the hub, and stay."""
    hub = MCPHubProvider("mcp", json.loads(sys.argv[1]))
    async with anyio.create_task_group() as tasks:
        await tasks.start(hub.serve)
        answer = await hub.handle_request("mcp/tool.toolbox.process", {})
        sys.stdout.write(f"{answer['result']}\n")
        sys.stdout.flush()
        await anyio.sleep_forever()


if __name__ == "__main__":
    anyio.run(main)
