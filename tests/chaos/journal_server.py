"""A downstream server to be mistreated: it writes down each call before it answers, and raves when it is told to.

`journal_server.py JOURNAL [one-by-one]` speaks the era that the variable ERA names. SIGUSR1 has it rave.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
import time

from tests.providers.mcp.servers.raw import Call, RawServer, Result, ToolHandler, structured

JOURNAL = sys.argv[1]
ONE_BY_ONE = sys.argv[2:] == ["one-by-one"]

HINTS: dict[str, dict[str, bool]] = {"once": {}, "again": {"idempotentHint": True}, "look": {"readOnlyHint": True}}

server = RawServer("journal")
raving = threading.Event()


def carry_out(call: Call, tool: str) -> None:
    """Write the call down, take some time, and answer."""
    given = call.arguments
    file = os.open(JOURNAL, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(file, json.dumps({"id": given["id"], "tool": tool, "pid": os.getpid()}).encode() + b"\n")
    os.close(file)
    time.sleep(given["nap"])
    digest = hashlib.sha256(given["payload"].encode()).hexdigest()
    server.answer(call.id, structured(id=given["id"], digest=digest, payload=given["payload"]))


def tool(name: str) -> ToolHandler:
    """The tool of that name, which answers when it can."""

    def handler(call: Call) -> Result:
        if ONE_BY_ONE:
            carry_out(call, name)
        else:
            threading.Thread(target=carry_out, args=(call, name), daemon=True).start()
        return None

    return handler


def rave() -> None:
    """Say much that means nothing, as often as it is told to."""
    while raving.wait():
        raving.clear()
        os.write(2, b"\x1b[31mstack trace \xff\xfe\n" * 5_000)
        for piece in (b"debug: " + b"x" * 100_000 + b"\n", b"{}\n[]\nnull\n\n\xff\xff\n", b'{"id": 1, "resu\n'):
            server.write(piece)


def take_signal(_number: int, _frame: object) -> None:
    """Rave soon: a handler must not wait for anything."""
    raving.set()


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, take_signal)
    threading.Thread(target=rave, daemon=True).start()
    for each, hints in HINTS.items():
        server.tool(tool(each), name=each, annotations=hints)
    server.serve()
