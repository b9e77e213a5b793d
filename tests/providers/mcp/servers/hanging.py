"""A server that leaves calls without an answer, and stops listening or talking when it is told to."""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from tests.providers.mcp.servers.raw import NOT_FOUND, SUBSCRIPTION, Call, RawServer, Refusal, Result, structured

server = RawServer("hanging")
unanswered: list[Call] = []


@server.tool
def good(call: Call) -> Result:
    """Answer the calls that were left, though nobody waits for them, and then this one."""
    while unanswered:
        server.answer(unanswered.pop().id, structured(late=True))
    return structured(good=call.arguments.get("number"))


@server.tool
def hang(call: Call) -> Result:
    """Report that the call is there, and answer it much too late."""
    unanswered.append(call)
    if call.token is not None:
        server.notify("notifications/progress", progressToken=call.token, progress=0)
    return None


@server.tool
def stop_reading(call: Call) -> Result:
    """Answer, and never read again."""
    server.answer(call.id, structured(done=True))
    while True:
        signal.pause()


@server.tool
def close_stdout(call: Call) -> Result:
    """Answer, and close stdout for good."""
    server.answer(call.id, structured(done=True))
    os.close(1)
    while True:
        signal.pause()


@server.tool
def close_stdin(call: Call) -> Result:
    """Close stdin for good, and answer."""
    os.close(0)
    server.answer(call.id, structured(done=True))
    while True:
        signal.pause()


@server.tool
def end_listening(_call: Call) -> Result:
    """End the stream of notifications of the newer era."""
    if server.listening is not None:
        server.answer(server.listening, {"_meta": {SUBSCRIPTION: server.listening}})
    return structured(done=True)


def refuse_ping(_request: dict[str, Any]) -> Result:
    """Know no ping; after three of them offer a tool that says so."""
    if len([message for message in server.messages if message.get("method") == "ping"]) == 3:
        server.tool(good, name="pinged")
        server.tools_changed()
    raise Refusal(NOT_FOUND, "no ping here")


if __name__ == "__main__":
    if sys.argv[1:] == ["pingless"]:
        server.methods["ping"] = refuse_ping
    server.serve()
