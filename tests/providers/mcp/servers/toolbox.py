"""A server with a tool for each thing that a hub has to pass on; its twin `sdk_toolbox` is built upon the SDK.

It speaks both eras: that in which it is spoken to first.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from tests.providers.mcp.servers.raw import Call, RawServer, Result, structured

NAMES = {float: "number", int: "integer", str: "string", dict: "object"}


class Toolbox(RawServer):
    """Leaves calls without an answer until they are cancelled."""

    def __init__(self) -> None:
        super().__init__("toolbox")
        self.modern = True
        self.unanswered: dict[Any, Path] = {}
        for name in list(self.listed):
            self.withdraw(name)

    def initialize(self, request: dict[str, Any]) -> Result:
        """Begin a session of the older era."""
        self.modern = False
        return super().initialize(request)

    def take(self, message: dict[str, Any]) -> None:
        """Take in one message; the file that a cancelled call has named is made."""
        super().take(message)
        if message.get("method") == "notifications/cancelled":
            self.unanswered.pop(message["params"]["requestId"]).touch()


server = Toolbox()


def takes(**types: type) -> dict[str, Any]:
    """The schema of arguments that all have to be there."""
    properties = {name: {"type": NAMES[kind]} for name, kind in types.items()}
    return {"inputSchema": {"type": "object", "properties": properties, "required": list(types)}}


def told(**fields: Any) -> Result:
    """A result as data, and the same as text."""
    return structured(**fields) | {"content": [{"type": "text", "text": json.dumps(fields)}]}


def add(call: Call) -> Result:
    """Add two numbers."""
    return told(sum=call.arguments["a"] + call.arguments["b"])


def fail(call: Call) -> Result:
    """Report an error."""
    return {"content": [{"type": "text", "text": call.arguments["reason"]}], "isError": True}


def environment(call: Call) -> Result:
    """Show a variable of the server's environment."""
    return text(os.environ.get(call.arguments["name"], "(not set)"))


def folder(_call: Call) -> Result:
    """Show the server's working directory."""
    return text(str(Path.cwd()))


def text(words: str) -> Result:
    """A result in words."""
    return structured(result=words) | {"content": [{"type": "text", "text": words}]}


def count_to(call: Call) -> Result:
    """Answer with a list."""
    return told(result=list(range(call.arguments["limit"])))


def slow(call: Call) -> Result:
    """Report progress, touch `started`, and never end; touch `cancelled` when cancelled."""
    server.unanswered[call.id] = Path(call.arguments["cancelled"])
    if call.token is not None:
        server.notify("notifications/progress", progressToken=call.token, progress=1, total=4, message="a quarter")
    Path(call.arguments["started"]).touch()
    return None


def crash(call: Call) -> Result:
    """End the process in the middle of the call."""
    os.write(2, b"boom: out of ink\n")
    os._exit(call.arguments["code"])


def process(_call: Call) -> Result:
    """Show the process id."""
    return told(result=os.getpid())


server.tool(add, description="Add two numbers.", annotations={"readOnlyHint": True}, **takes(a=int, b=int))
server.tool(fail, description="Report an error.", **takes(reason=str))
server.tool(environment, description="Show a variable.", **takes(name=str))
server.tool(folder, description="Show the working directory.")
server.tool(count_to, description="Answer with a list.", **takes(limit=int))
server.tool(slow, description="Never end.", **takes(started=str, cancelled=str))
server.tool(crash, description="End the process.", **takes(code=int))
server.tool(process, description="Show the process id.")


if __name__ == "__main__":
    server.serve()
