"""How long Gleitzeit's hub takes from its start until all servers are ready, with everything imported; prints JSON.

python -m benchmarks.hub_start '[{"name": "s0", "command": ["python", "echo_server.py", "s0"]}]' [NAME...]

Waits for the named servers alone where there are names.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import anyio

from benchmarks.process_table import cpu_with_children
from gleitzeit_mcp import MCPHubProvider

LIMIT = 60.0
PAUSE = 0.002


async def start(entries: Sequence[Mapping[str, Any]], awaited: frozenset[str]) -> dict[str, float]:
    """Seconds until the awaited servers are ready, and of CPU until all of it is over."""
    hub = MCPHubProvider("mcp", {"servers": list(entries)})
    await hub.initialize()
    cpu = cpu_with_children()
    begin = end = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        await tasks.start(hub.serve)
        await readiness(hub, awaited)
        end = time.perf_counter()
        tasks.cancel_scope.cancel()
    await hub.shutdown()
    return {"wall": end - begin, "cpu": cpu_with_children() - cpu}


async def readiness(hub: MCPHubProvider, awaited: frozenset[str]) -> None:
    """Wait until the awaited servers are ready, which the hub only tells when it is asked."""
    with anyio.fail_after(LIMIT):
        while not await are_ready(hub, awaited):  # noqa: ASYNC110 - see above
            await anyio.sleep(PAUSE)


async def are_ready(hub: MCPHubProvider, awaited: frozenset[str]) -> bool:
    """Whether the hub says so."""
    servers = (await hub.handle_request("mcp/servers", {}))["servers"]
    return awaited <= {server["name"] for server in servers if server["state"] == "ready"}


async def main(entries: Sequence[Mapping[str, Any]], names: Sequence[str]) -> None:
    """Start one server, which imports everything, then measure."""
    awaited = frozenset(names or [entry["name"] for entry in entries])
    first = next(entry for entry in entries if entry["name"] in awaited)
    await start([first], frozenset([first["name"]]))
    print(json.dumps(await start(entries, awaited)))


if __name__ == "__main__":
    anyio.run(main, json.loads(sys.argv[1]), sys.argv[2:])
