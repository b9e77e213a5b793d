"""A server whose tools change while it runs."""

from __future__ import annotations

from tests.providers.mcp.servers.raw import Call, RawServer, Result, structured

server = RawServer("changing")


def answer(call: Call) -> Result:
    """Answer with the tool's name."""
    return structured(tool=call.params["name"])


@server.tool
def replace(call: Call) -> Result:
    """Withdraw a tool, offer another, and say so."""
    if call.arguments.get("old"):
        server.withdraw(call.arguments["old"])
    server.tool(answer, name=call.arguments["new"])
    server.tools_changed()
    return structured(done=True)


@server.tool
def burst(call: Call) -> Result:
    """Say many times over that the tools have changed."""
    for _ in range(int(call.arguments["count"])):
        server.tools_changed()
    return structured(done=True)


server.tool(answer, name="first_tool")


if __name__ == "__main__":
    server.serve()
