"""A server whose list of tools is what its argument says."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

from tests.providers.mcp.servers.raw import PLAIN, Call, RawServer, Refusal, Result, structured

server = RawServer("listing")

MALFORMED: list[Any] = [
    {"name": "bent", "inputSchema": {"type": "object", "properties": ["a"]}},
    {"inputSchema": PLAIN},
    {"name": 7, "inputSchema": PLAIN},
    {"name": "bare"},
    "no tool at all",
    None,
]


def named(*names: str) -> list[dict[str, Any]]:
    """Tools by their names."""
    return [{"name": name, "inputSchema": PLAIN} for name in names]


def pages(request: dict[str, Any]) -> Result:
    """Ten pages of ten tools."""
    page = int(request.get("params", {}).get("cursor", 0))
    listed = named(*(f"tool{page}{number}" for number in range(10)))
    return {"tools": listed} if page == 9 else {"tools": listed, "nextCursor": str(page + 1)}


def circle(_request: dict[str, Any]) -> Result:
    """The same page and the same cursor, again and again."""
    return {"tools": named("round"), "nextCursor": "again"}


def spiral(request: dict[str, Any]) -> Result:
    """Always one more page."""
    page = int(request.get("params", {}).get("cursor", 0))
    return {"tools": named(f"tool{page}"), "nextCursor": str(page + 1)}


def many(_request: dict[str, Any]) -> Result:
    """Five thousand tools."""
    return {"tools": named(*(f"tool{number}" for number in range(5_000)))}


def malformed(_request: dict[str, Any]) -> Result:
    """Good tools, and others between them."""
    first, *rest = MALFORMED
    return {"tools": [*named("good"), first, *named("fine"), *rest]}


def twins(_request: dict[str, Any]) -> Result:
    """Two tools of one name."""
    return {"tools": named("twin", "twin", "other")}


def nothing(_request: dict[str, Any]) -> Result:
    """No list where there should be one."""
    return {"tools": "none"}


def leave(_request: dict[str, Any]) -> Result:
    """End, because nobody should have asked."""
    os._exit(6)


def failing(_request: dict[str, Any]) -> Result:
    """An error instead of a list."""
    raise Refusal(-32603, "the catalogue is closed")


def call(request: dict[str, Any]) -> Result:
    """Answer any tool with its name."""
    if request["params"]["name"] in server.listed:
        return RawServer.call_tool(server, request)
    return structured(tool=request["params"]["name"], arguments=Call(request).arguments)


WAYS: dict[str, Callable[[dict[str, Any]], Result]] = {
    way.__name__: way for way in (pages, circle, spiral, many, malformed, twins, nothing, failing)
}


def main(way: str, *names: str) -> None:
    """List in one of the ways, or `named` followed by the names."""
    server.methods["tools/call"] = call
    if way == "named":
        server.methods["tools/list"] = lambda _request: {"tools": named(*names)}
    elif way == "toolless":
        server.capabilities = {}
        server.methods["tools/list"] = leave
    else:
        server.methods["tools/list"] = WAYS[way]
    server.serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
