"""A server that says too much: on stderr, in one line, in notifications."""

from __future__ import annotations

import json
import os
import threading
from typing import Any

from tests.providers.mcp.servers.raw import Call, RawServer, Result, structured

server = RawServer("flooding")
stopped = threading.Event()
flooded = 0

MEGABYTE = 2**20
ODD_REPORTS: list[dict[str, Any]] = [
    {},
    {"progress": "half"},
    {"progress": None, "total": []},
    {"progress": True, "message": 5},
]


@server.tool
def good(_call: Call) -> Result:
    """Answer well."""
    return structured(good=True)


@server.tool
def flood_stderr(_call: Call) -> Result:
    """Write to stderr without a pause until told to stop."""
    writer.start()
    return structured(started=True)


@server.tool
def flooded_by_now(_call: Call) -> Result:
    """Tell how many megabytes were written to stderr."""
    return structured(megabytes=flooded // MEGABYTE)


@server.tool
def stop_flood(_call: Call) -> Result:
    """Stop writing to stderr, and end it with a line of its own."""
    stopped.set()
    writer.join()
    return structured(megabytes=flooded // MEGABYTE)


@server.tool
def long_line(call: Call) -> Result:
    """Answer in one long line, with the id where the caller wants it."""
    identity = b'"id": ' + json.dumps(call.id).encode()
    first, last = (identity + b", ", b"") if call.arguments["id"] == "first" else (b"", b", " + identity)
    if call.arguments["id"] == "none":
        last = b""
    words = [b"x" * MEGABYTE] * int(call.arguments["megabytes"])
    server.write(b'{"jsonrpc": "2.0", ' + first + b'"result": {"content": [{"type": "text", "text": "')
    server.write(*words, b'"}]}' + last + b"}\n")
    return None


@server.tool
def endless_line(_call: Call) -> Result:
    """Begin a line that never ends."""
    while True:
        server.write(b"x" * MEGABYTE)


@server.tool
def progress(call: Call) -> Result:
    """Report progress many times over, for this call and for one that nobody made."""
    assert call.token is not None
    count = int(call.arguments["count"])
    for start in range(0, count, 1_000):
        messages = [report(call.token, done + 1, count) for done in range(start, min(start + 1_000, count))]
        server.write(report("never", 1, 1), b"".join(messages))
    return structured(count=count)


@server.tool
def odd_progress(call: Call) -> Result:
    """Report progress in forms that are none."""
    token = call.token
    for odd in ODD_REPORTS:
        server.notify("notifications/progress", progressToken=token, **odd)
    server.send({"method": "notifications/progress", "params": [1]})
    server.send({"method": "notifications/progress"})
    server.notify("notifications/progress", progressToken=[token], progress=1)
    server.notify("notifications/progress", progressToken=token, progress=1, total=2, message="half")
    return structured(done=True)


@server.tool
def log(call: Call) -> Result:
    """Send log messages, and notifications that nobody knows."""
    for number in range(int(call.arguments["count"])):
        server.notify("notifications/message", level="info", logger="x", data={"number": number})
    server.notify("notifications/message", level=7)
    server.notify("notifications/unheard/of", anything=1)
    return structured(logged=True)


def report(token: str | int, done: int, total: int) -> bytes:
    """A progress notification as a line."""
    params = {"progressToken": token, "progress": done, "total": total}
    return json.dumps({"jsonrpc": "2.0", "method": "notifications/progress", "params": params}).encode() + b"\n"


def write_stderr() -> None:
    """Write to stderr until told to stop."""
    global flooded  # noqa: PLW0603  # one thread counts, the other reads
    block = (b"noise " * 170 + b"\n") * 64
    while not stopped.is_set():
        flooded += os.write(2, block)
    os.write(2, b"\nthe flood is over\n")


writer = threading.Thread(target=write_stderr, daemon=True)

if __name__ == "__main__":
    server.serve()
