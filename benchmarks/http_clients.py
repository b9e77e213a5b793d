"""Many clients of one server over streamable HTTP, without any SDK, so that all servers see the same."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import urlsplit

import anyio
from anyio.streams.buffered import BufferedByteReceiveStream

from benchmarks.host import CLIENT
from benchmarks.rounds import ContenderError

_MOST = 1 << 20


class HttpClient:
    """One connection with one session; a context manager of neither: `open` and `close` cost what is measured."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._port = parts.port or 80
        self._host = parts.hostname or ""
        self._path = parts.path
        self._session: str | None = None
        self._last = 0

    async def open(self) -> None:
        """Connect, and begin a session."""
        self._stream = await anyio.connect_tcp(self._host, self._port)
        self._received = BufferedByteReceiveStream(self._stream)
        await self._request("initialize", CLIENT)
        await self._post({"jsonrpc": "2.0", "method": "notifications/initialized"})

    async def call(self, parameters: Mapping[str, Any]) -> None:
        """Call a tool, and wait for its result."""
        answer = await self._request("tools/call", parameters)
        if answer.get("result", {}).get("isError", "error" in answer):
            raise ContenderError(f"a call was answered by {answer}")

    async def close(self) -> None:
        """End the session, and the connection."""
        await self._send("DELETE", b"")
        await self._answer()
        await self._stream.aclose()

    async def _request(self, method: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
        self._last += 1
        body = await self._post({"jsonrpc": "2.0", "id": self._last, "method": method, "params": parameters})
        data = [line[5:] for line in body.splitlines() if line.startswith(b"data:")]
        answer: dict[str, Any] = json.loads(data[-1] if data else body)
        return answer

    async def _post(self, message: Mapping[str, Any]) -> bytes:
        await self._send("POST", json.dumps(message).encode())
        return await self._answer()

    async def _send(self, verb: str, body: bytes) -> None:
        session = f"mcp-session-id: {self._session}\r\n" if self._session else ""
        head = (
            f"{verb} {self._path} HTTP/1.1\r\nhost: {self._host}:{self._port}\r\n{session}"
            "content-type: application/json\r\naccept: application/json, text/event-stream\r\n"
            f"mcp-protocol-version: {CLIENT['protocolVersion']}\r\ncontent-length: {len(body)}\r\n\r\n"
        )
        await self._stream.send(head.encode() + body)

    async def _answer(self) -> bytes:
        head = (await self._received.receive_until(b"\r\n\r\n", _MOST)).decode()
        status, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if status.split()[1] not in ("200", "202", "204"):
            raise ContenderError(f"a request was answered by {status}")
        self._session = self._session or headers.get("mcp-session-id")
        if headers.get("transfer-encoding") != "chunked":
            return await self._received.receive_exactly(int(headers.get("content-length", 0)))
        return b"".join([chunk async for chunk in _chunks(self._received)])


async def _chunks(received: BufferedByteReceiveStream) -> AsyncGenerator[bytes]:
    while length := int(await received.receive_until(b"\r\n", _MOST), 16):
        yield await received.receive_exactly(length)
        await received.receive_exactly(2)
    await received.receive_exactly(2)


def rate(url: str, parameters: Mapping[str, Any], clients: int, calls: int) -> float:
    """Calls a second of so many clients, each of which makes its next call after the answer to the last."""

    async def all_of_them() -> float:
        each = [HttpClient(url) for _ in range(clients)]
        async with anyio.create_task_group() as opening:
            for client in each:
                opening.start_soon(client.open)
        begin = time.perf_counter()
        async with anyio.create_task_group() as calling:
            for client in each:
                calling.start_soon(_calls, client, parameters, calls // clients)
        taken = time.perf_counter() - begin
        for client in each:
            await client.close()
        return calls // clients * clients / taken

    return anyio.run(all_of_them)


def sessions(url: str, parameters: Mapping[str, Any], count: int) -> None:
    """Open so many sessions, one after the other, each with one call, and end them."""

    async def one_by_one() -> None:
        for _ in range(count):
            client = HttpClient(url)
            await client.open()
            await client.call(parameters)
            await client.close()

    anyio.run(one_by_one)


async def _calls(client: HttpClient, parameters: Mapping[str, Any], count: int) -> None:
    for _ in range(count):
        await client.call(parameters)
