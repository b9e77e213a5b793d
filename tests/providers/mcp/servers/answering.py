"""A server whose answers are not what they should be, each in its own way."""

from __future__ import annotations

import json
from typing import Any

from tests.providers.mcp.servers.raw import Call, RawServer, Result, structured

server = RawServer("answering")

TEXT = {"content": [{"type": "text", "text": "late or early"}]}
BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "text": "words", "annotations": {"audience": ["user"], "priority": 0.5}},
    {"type": "image", "data": "aGVsbG8=", "mimeType": "image/png", "_meta": {"a.b/c": 1}},
    {"type": "audio", "data": "aGVsbG8=", "mimeType": "audio/wav"},
    {"type": "resource", "resource": {"uri": "file:///a", "text": "a", "mimeType": "text/plain", "_meta": {"x": None}}},
    {"type": "resource", "resource": {"uri": "file:///b", "blob": "aGVsbG8="}},
    {"type": "resource_link", "uri": "file:///c", "name": "c", "size": 3, "icons": [{"src": "https://x/y.png"}]},
    {"type": "hologram", "depth": 3, "rays": [{"a": None}]},
]
NUMBER_OF_COUNT = {"type": "object", "properties": {"count": {"type": "integer"}}, "required": ["count"]}
RESULTS: dict[str, bytes] = {
    "number": b"5",
    "null": b"null",
    "list": b"[1]",
    "nan": b'{"content": [], "structuredContent": {"a": NaN, "b": -Infinity}}',
    "huge": b'{"content": [], "structuredContent": {"a": 1e999, "b": ' + b"9" * 5_000 + b"}}",
    "surrogate": rb'{"content": [{"type": "text", "text": "a\ud83d"}]}',
    "not_utf8": b'{"content": [{"type": "text", "text": "a\xff\xfe"}]}',
    "nested": b'{"content": [], "structuredContent": {"a": ' + b"[" * 10_000 + b"]" * 10_000 + b"}}",
    "deep_text": json.dumps({"content": [{"type": "text", "text": '{"a":' * 10_000}]}).encode(),
    "no_blocks": b'{"content": "words"}',
    "odd_blocks": b'{"content": [5, null, "words", {"type": "text"}, {"text": "a"}, {"type": "text", "text": 7}]}',
    "empty": b"{}",
    "cut": b'{"content": [{"type": "te',
    "unknown_kind": b'{"resultType": "poem", "lines": []}',
}
"""Results as they stand on the wire."""


@server.tool
def good(_call: Call) -> Result:
    """Answer well."""
    return structured(good=True)


@server.tool
def wrong(call: Call) -> Result:
    """Answer a request that nobody made."""
    identity = call.id + 1_000_000 if isinstance(call.id, int) else call.id + "x"
    server.answer(identity, TEXT)
    return None


@server.tool
def stranger(call: Call) -> Result:
    """Answer requests that nobody made, and then the right one."""
    for identity in ("never", 2.5, None, True, [1], -1):
        server.send({"id": identity, "result": TEXT})
    return structured(asked=call.arguments.get("number"))


@server.tool
def twice(call: Call) -> Result:
    """Answer twice, and differently."""
    server.answer(call.id, structured(answer=1))
    return structured(answer=2)


@server.tool
def respelled(call: Call) -> Result:
    """Answer with the id in quotes, or without them."""
    text = str(call.id)
    server.answer(text if isinstance(call.id, int) else int(text), structured(asked=call.arguments.get("number")))
    return None


@server.tool
def written(call: Call) -> Result:
    """Answer with one of the results above."""
    server.write(b'{"jsonrpc": "2.0", "id": ', spelled(call), b', "result": ', RESULTS[call.arguments["kind"]], b"}\n")
    return None


@server.tool
def error(call: Call) -> Result:
    """Answer with an error of the form that the caller gives."""
    server.send({"id": call.id, "error": call.arguments["error"]})
    return None


@server.tool
def neither(call: Call) -> Result:
    """Answer with neither a result nor an error."""
    server.send({"id": call.id})
    return None


@server.tool
def polite(call: Call) -> Result:
    """Answer well, and say that there was no error, as in JSON-RPC 1.0."""
    server.send({"id": call.id, "result": structured(polite=True), "error": None})
    return None


@server.tool
def batch(call: Call) -> Result:
    """Answer in an array of messages, as an older protocol allowed."""
    server.write(json.dumps([{"jsonrpc": "2.0", "id": call.id, "result": structured(batched=True)}]).encode() + b"\n")
    return None


@server.tool
def rich(_call: Call) -> Result:
    """Answer with a block of each type, and of one that there is not."""
    return {"content": BLOCKS, "_meta": {"example.org/trace": {"id": 7}}}


def untrue(_call: Call) -> Result:
    """Answer with data that break the tool's own schema."""
    return structured(count="three", more=[1])


server.tool(untrue, outputSchema=NUMBER_OF_COUNT)


def unstructured(_call: Call) -> Result:
    """Answer without the data that the tool's own schema promises."""
    return {"content": [{"type": "text", "text": "three"}]}


server.tool(unstructured, outputSchema=NUMBER_OF_COUNT)


def spelled(call: Call) -> bytes:
    """The id of a call as JSON."""
    return json.dumps(call.id).encode()


if __name__ == "__main__":
    server.serve()
