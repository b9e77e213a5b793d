"""A server with children of its own, which ignore what asks them to leave; it tells their process ids."""

from __future__ import annotations

import os
import signal

from tests.providers.mcp.servers.raw import Call, RawServer, Result, structured

server = RawServer("parent")
SECONDS = "45"  # so that those that a broken hub leaves behind end some time


def started() -> int:
    """The process id of a new child."""
    return os.posix_spawnp("sleep", ["sleep", SECONDS], os.environ)


def family(_call: Call) -> Result:
    """Tell the process ids of the server and of its children."""
    return structured(pids=[os.getpid(), *children])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    children = [started(), started()]
    server.tool(family)
    server.serve()
    while True:  # the end of stdin is no reason to leave
        signal.pause()
