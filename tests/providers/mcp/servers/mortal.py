"""A server that dies in its first calls: `mortal.py CALLS DEATHS [GATE]`.

Each call is a byte in the file CALLS, and the first DEATHS of them end the process. Where there is a named pipe GATE,
a start waits for whoever writes to it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tests.providers.mcp.servers.raw import Call, RawServer, Result, structured

server = RawServer("mortal")
calls, deaths = Path(sys.argv[1]), int(sys.argv[2])
gate = Path(sys.argv[3]) if len(sys.argv) > 3 else None


def risk(call: Call) -> Result:
    """Count the call, and die of it or answer."""
    with calls.open("ab") as file:
        file.write(b".")
    count = calls.stat().st_size
    if count <= deaths:
        os.write(2, f"died of call {count}\n".encode())
        os._exit(9)
    return structured(count=count, arguments=call.arguments)


server.tool(risk)
server.tool(risk, name="named")
server.tool(risk, name="read", annotations={"readOnlyHint": True})
server.tool(risk, name="repeat", annotations={"idempotentHint": True})
server.tool(risk, name="destroy", annotations={"readOnlyHint": False, "destructiveHint": True})


if __name__ == "__main__":
    if gate is not None and gate.exists():
        gate.read_bytes()
    server.serve()
