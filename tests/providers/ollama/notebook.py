"""An MCP server whose tool leaves a trace: each call of `write` is a line of the file that it is started with."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tests.providers.mcp.servers.raw import Call, RawServer, Result, structured

server = RawServer("notebook")
TEXT = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}


def write(call: Call) -> Result:
    """Add a line, and say how many there are now."""
    text: Any = call.arguments["text"]
    if text == "nonsense":
        return {"content": [{"type": "text", "text": "nonsense is not written down"}], "isError": True}
    with Path(sys.argv[1]).open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
    return structured(lines=len(Path(sys.argv[1]).read_text(encoding="utf-8").splitlines()))


server.tool(write, description="Writes a line down", inputSchema=TEXT)

if __name__ == "__main__":
    server.serve()
