"""A downstream server that costs as little as can be: five tools that echo, over stdio, of the standard library alone.

`python -I -S echo_server.py NAME [--silent]`; a silent one reads and never answers.
"""

from __future__ import annotations

import json
import sys
from typing import Any

TOOLS = ("echo", "repeat", "mirror", "parrot", "reflect")
METHOD_NOT_FOUND = -32601

SCHEMA = {"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]}
LISTED = [
    {
        "name": name,
        "description": "Answers with the text it is given.",
        "inputSchema": SCHEMA,
        "annotations": {"readOnlyHint": True},
    }
    for name in TOOLS
]


def answer(name: str, request: dict[str, Any]) -> dict[str, Any]:
    """The result of a request, or the error where it knows no such method."""
    match request["method"]:
        case "tools/call":
            return {"result": {"content": [{"type": "text", "text": request["params"]["arguments"]["text"]}]}}
        case "tools/list":
            return {"result": {"tools": LISTED}}
        case "initialize":
            version = request["params"]["protocolVersion"]
            information = {"name": name, "version": "1"}
            return {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": information}}
        case "ping":
            return {"result": {}}
        case method:
            return {"error": {"code": METHOD_NOT_FOUND, "message": f"no method {method}"}}


def main(name: str, silent: bool) -> None:
    """Answer line by line until there are no more."""
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if silent or "id" not in request:
            continue
        message = {"jsonrpc": "2.0", "id": request["id"], **answer(name, request)}
        sys.stdout.buffer.write(json.dumps(message).encode() + b"\n")
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main(sys.argv[1], "--silent" in sys.argv[2:])
