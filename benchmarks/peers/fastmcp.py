"""FastMCP as a hub over stdio: a client kept open for each server, behind a proxy of its own under the server's name.

`python -m benchmarks.peers.fastmcp '[{"name": "s0", "command": ["python", "echo_server.py", "s0"]}]'`

By default its proxies open a session, and so a process, for every request. Of the ways in its documentation that keep
them this one costs least: a provider whose factory returns the connected client.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from importlib import import_module
from typing import Any

# Only there in the environment that this file is run in.
FASTMCP: Any = import_module("fastmcp")
TRANSPORTS: Any = import_module("fastmcp.client.transports")
PROXY: Any = import_module("fastmcp.server.providers.proxy")


def client_of(entry: Mapping[str, Any]) -> Any:
    """A client of one server."""
    command, *arguments = entry["command"]
    return FASTMCP.Client(TRANSPORTS.StdioTransport(command, arguments))


async def main(entries: Sequence[Mapping[str, Any]]) -> None:
    """Be a hub until the host hangs up."""
    hub = FASTMCP.FastMCP("FastMCP", version=FASTMCP.__version__)
    async with AsyncExitStack() as stack:
        clients = [client_of(entry) for entry in entries]
        await asyncio.gather(*(stack.enter_async_context(client) for client in clients))
        for entry, client in zip(entries, clients, strict=True):
            hub.add_provider(PROXY.ProxyProvider(lambda client=client: client), namespace=entry["name"])
        await hub.run_stdio_async(show_banner=False, log_level="WARNING")


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
