"""A server without an SDK: as much of MCP as its scripts need, so that they may break any of it.

It speaks the era that the variable ERA names, `legacy` or `modern`, and tells by the tool `heard` what reached it.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

Result = dict[str, Any] | None
RequestId = int | str

NOT_FOUND = -32601
SUBSCRIPTION = "io.modelcontextprotocol/subscriptionId"
PLAIN = {"type": "object"}


class Refusal(Exception):
    """Becomes a JSON-RPC error."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.error = {"code": code, "message": message}


class Call:
    """A `tools/call` that arrived."""

    __slots__ = ("arguments", "id", "params", "token")

    def __init__(self, request: Mapping[str, Any]) -> None:
        self.id: RequestId = request["id"]
        self.params: Mapping[str, Any] = request["params"]
        self.arguments: Mapping[str, Any] = self.params.get("arguments", {})
        self.token: RequestId | None = self.params.get("_meta", {}).get("progressToken")


ToolHandler = Callable[[Call], Result]


class RawServer:
    """Answers one message after the other; a handler that returns nothing leaves its request without an answer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.modern = os.environ.get("ERA") == "modern"
        self.capabilities: dict[str, Any] = {"tools": {"listChanged": True}}
        self.listed: dict[str, dict[str, Any]] = {}
        self.methods: dict[str, Callable[[dict[str, Any]], Result]] = {
            "initialize": self.initialize,
            "server/discover": self.discover,
            "tools/list": self.list_tools,
            "tools/call": self.call_tool,
            "ping": lambda _request: {},
            "subscriptions/listen": self.listen,
        }
        self.on_answer: Callable[[dict[str, Any]], None] | None = None
        self.messages: list[dict[str, Any]] = []
        self.listening: RequestId | None = None
        self._tools: dict[str, ToolHandler] = {}
        self._writing = threading.Lock()
        self.tool(self._heard, name="heard")
        self.tool(_process, name="process")

    def tool(self, handler: ToolHandler, *, name: str | None = None, **described: Any) -> ToolHandler:
        """Offer a tool; also a decorator."""
        name = name or handler.__name__
        self._tools[name] = handler
        self.listed[name] = {"name": name, "inputSchema": PLAIN, **described}
        return handler

    def withdraw(self, name: str) -> None:
        """Offer a tool no longer."""
        del self._tools[name], self.listed[name]

    def serve(self) -> None:
        """Take in messages until stdin ends."""
        for line in sys.stdin.buffer:
            self.take(json.loads(line))

    def take(self, message: dict[str, Any]) -> None:
        """Take in one message."""
        self.messages.append(message)
        if "method" not in message:
            if self.on_answer:
                self.on_answer(message)
        elif "id" in message:
            self._respond(message)

    def _respond(self, request: dict[str, Any]) -> None:
        try:
            result = self.methods.get(request["method"], _unknown)(request)
        except Refusal as refusal:
            self.send({"id": request["id"], "error": refusal.error})
            return
        if result is not None:
            self.answer(request["id"], result)

    def answer(self, request: RequestId, result: dict[str, Any]) -> None:
        """Answer a request."""
        self.send({"id": request, "result": {"resultType": "complete", **result} if self.modern else result})

    def notify(self, method: str, **params: Any) -> None:
        """Send a notification."""
        self.send({"method": method, "params": params})

    def send(self, message: Mapping[str, Any]) -> None:
        """Send one message."""
        self.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")

    def write(self, *pieces: bytes) -> None:
        """Write bytes as they are, nothing else in between."""
        with self._writing:
            for piece in pieces:
                sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()

    def tools_changed(self) -> None:
        """Say that the list of tools is another one."""
        if not self.modern:
            self.notify("notifications/tools/list_changed")
        elif self.listening is not None:
            self.notify("notifications/tools/list_changed", _meta={SUBSCRIPTION: self.listening})

    def initialize(self, request: dict[str, Any]) -> Result:
        """Begin a session of the older era."""
        if self.modern:
            raise Refusal(NOT_FOUND, "there is no initialize here")
        version = request["params"]["protocolVersion"]
        return {"protocolVersion": version, "capabilities": self.capabilities, "serverInfo": self._info()}

    def discover(self, _request: dict[str, Any]) -> Result:
        """Show what this server can, in the newer era."""
        if not self.modern:
            raise Refusal(NOT_FOUND, "there is no server/discover here")
        info = {"io.modelcontextprotocol/serverInfo": self._info()}
        versions = ["2026-07-28"]
        return {"supportedVersions": versions, "capabilities": self.capabilities, "_meta": info, **_cached()}

    def list_tools(self, _request: dict[str, Any]) -> Result:
        """List the tools on one page."""
        return {"tools": list(self.listed.values()), **(_cached() if self.modern else {})}

    def call_tool(self, request: dict[str, Any]) -> Result:
        """Call a tool."""
        handler = self._tools.get(request["params"]["name"])
        if handler is None:
            raise Refusal(NOT_FOUND, f"no tool {request['params']['name']}")
        return handler(Call(request))

    def listen(self, request: dict[str, Any]) -> Result:
        """Open the stream of notifications of the newer era."""
        self.listening = request["id"]
        wanted = request["params"]["notifications"]
        self.notify(
            "notifications/subscriptions/acknowledged", notifications=wanted, _meta={SUBSCRIPTION: request["id"]}
        )
        return None

    def _heard(self, _call: Call) -> Result:
        return structured(messages=self.messages)

    def _info(self) -> dict[str, str]:
        return {"name": self.name, "version": "1"}


def _unknown(request: dict[str, Any]) -> Result:
    raise Refusal(NOT_FOUND, f"unknown: {request['method']}")


def structured(**fields: Any) -> dict[str, Any]:
    """The result of a tool that answers with data."""
    return {"content": [], "structuredContent": fields}


def _process(_call: Call) -> Result:
    return structured(pid=os.getpid())


def _cached() -> dict[str, Any]:
    return {"ttlMs": 0, "cacheScope": "private"}
