"""What servers send, byte for byte."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from anyio.abc import SocketStream

Script = Callable[[str, dict[str, Any], SocketStream], Awaitable[None]]
Serve = Callable[[Script], Awaitable[str]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
TOKEN = b'{"model":"tiny","message":{"role":"assistant","content":"hi"},"done":false}\n'
DONE = b'{"model":"tiny","message":{"role":"assistant","content":""},"done_reason":"stop","done":true}\n'


def chunk(data: bytes) -> bytes:
    """A part of an answer whose length nobody knows before."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(status: str, body: bytes, kind: str = "application/json; charset=utf-8") -> bytes:
    """A whole answer."""
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def sending(*data: bytes, then_close: bool = False) -> Script:
    """Answers every request with these bytes."""

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(b"".join(data))
        if then_close:
            await stream.aclose()

    return script


def streaming(*lines: bytes) -> Script:
    """Answers every request with these lines."""
    return sending(HEAD, *(chunk(line) for line in lines), END)
