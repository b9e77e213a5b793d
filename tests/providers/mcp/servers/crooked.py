"""A server, written by hand, whose answers are not what they should be."""

from __future__ import annotations

import json
import sys
from typing import Any

PLAIN = {"type": "object"}
TOOLS: list[dict[str, Any]] = [
    {"name": "good", "inputSchema": PLAIN},
    {"name": "bent", "inputSchema": {"type": "object", "properties": ["a"]}},
    {"name": "half", "inputSchema": PLAIN},
    {"name": "deep", "inputSchema": PLAIN},
]
CAPABILITIES: dict[str, Any] = {"tools": {}}
DEEP = "[" * 5_000 + "]" * 5_000


def result_of(method: str, params: dict[str, Any]) -> str | None:
    """The result as JSON."""
    match method, params.get("name"):
        case "initialize", _:
            server = {"name": "crooked", "version": "1"}
            version = params["protocolVersion"]
            return json.dumps({"protocolVersion": version, "capabilities": CAPABILITIES, "serverInfo": server})
        case "tools/list", _:
            return json.dumps({"tools": TOOLS})
        case "tools/call", "half":
            return json.dumps({"content": [{"type": "text", "text": "\ud83d"}]})
        case "tools/call", "deep":
            return f'{{"content": [], "structuredContent": {{"a": {DEEP}}}}}'
        case "tools/call", _:
            return json.dumps({"content": [{"type": "text", "text": "good"}]})
        case _:
            return None


if __name__ == "__main__":
    for line in sys.stdin:
        request = json.loads(line)
        if "id" not in request:
            continue
        result = result_of(request["method"], request.get("params") or {})
        rest = f'"result": {result}' if result else '"error": {"code": -32601, "message": "unknown"}'
        sys.stdout.write(f'{{"jsonrpc": "2.0", "id": {json.dumps(request["id"])}, {rest}}}\n')
        sys.stdout.flush()
