"""A downstream server whose tools answer in every form there is, and are named as no host likes them."""

from __future__ import annotations

from typing import Any

from tests.providers.mcp.servers.raw import Call, RawServer, Result

PICTURE = {"type": "image", "data": "AAAA", "mimeType": "image/png", "annotations": {"audience": ["user"]}}
LINK = {"type": "resource_link", "uri": "gallery://one", "name": "one", "mimeType": "text/plain"}
NUMBERS = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}

server = RawServer("gallery")
waiting: list[int | str] = []
for spare in list(server.listed):
    server.withdraw(spare)


def text(words: str) -> dict[str, Any]:
    """A block of text."""
    return {"type": "text", "text": words}


def show(_call: Call) -> Result:
    """Answer with a picture, words and a link."""
    return {"content": [text("A picture:"), PICTURE, LINK], "_meta": {"gallery/room": 3}}


def count(call: Call) -> Result:
    """Answer with data, and the same in words of another kind."""
    return {"content": [text(f"it is {call.arguments['n']}")], "structuredContent": {"n": call.arguments["n"]}}


def refuse(_call: Call) -> Result:
    """Say that it failed."""
    return {"content": [text("The gallery is closed.")], "isError": True}


def large(call: Call) -> Result:
    """Answer with many words."""
    return {"content": [text("x" * call.arguments["n"])]}


def odd(_call: Call) -> Result:
    """Answer with what no host knows."""
    return {"content": [{"type": "smell", "of": "paint"}]}


def never(_call: Call) -> Result:
    """Leave the call without an answer."""
    return None


def gate(call: Call) -> Result:
    """Leave the call open until `unlock` is called."""
    waiting.append(call.id)
    return None


def unlock(_call: Call) -> Result:
    """Answer all that wait at the gate."""
    while waiting:
        server.answer(waiting.pop(), {"content": [text("through"), PICTURE]})
    return {"content": [text("unlocked")]}


def hang(call: Call) -> Result:
    """Offer one more tool, and say so."""
    server.tool(show, name=call.arguments["name"], description="A new one.")
    server.tools_changed()
    return {"content": [text("hung")]}


server.tool(
    show, title="Show\u202e it", description="Shows\x1b[8m a picture.", annotations={"readOnlyHint": True, "x": 1}
)
server.tool(count, description="Counts.", inputSchema=NUMBERS, outputSchema=NUMBERS)
server.tool(refuse)
server.tool(large, inputSchema=NUMBERS)
server.tool(odd, name="rooms/odd one")
server.tool(never, annotations={"destructiveHint": False, "openWorldHint": False})
server.tool(hang)
server.tool(gate, description="Waits.")
server.tool(unlock)
server.tool(show, name="a" * 80)


if __name__ == "__main__":
    server.serve()
