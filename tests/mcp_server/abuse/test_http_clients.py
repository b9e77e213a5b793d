"""Clients over HTTP that mean no good, or do not know how: what they do is theirs, and nobody else's."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from typing import Any

import anyio
import httpx2
import pytest
from anyio.abc import SocketStream
from mcp import Client

from gleitzeit.mcp_server import http_connection
from gleitzeit.mcp_server.address import listen

Guarding = Callable[..., AbstractAsyncContextManager[Any]]
Serving = Callable[[], AbstractAsyncContextManager[str]]

pytestmark = pytest.mark.anyio

ACCEPT = {"Accept": "application/json, text/event-stream"}
HELLO = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "raw", "version": "1"}}
OPENING = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}


ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "raw", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
    "progressToken": 1,
}


def asked(tool: str, arguments: dict[str, Any], headers: Mapping[str, str]) -> bytes:
    """A whole request of the modern era, to be sent as it is."""
    params = {"name": tool, "arguments": arguments, "_meta": ENVELOPE}
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params})
    told = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body)), **ACCEPT}
    era = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool}
    lines = [f"{name}: {value}" for name, value in {**told, **era, **headers}.items()]
    return "\r\n".join(["POST /mcp HTTP/1.1", *lines, "", body]).encode()


def call_of(method: str, parameters: dict[str, Any], headers: Mapping[str, str] | None = None) -> bytes:
    return asked("call_method", {"method": method, "parameters": parameters}, headers or {})


async def connected(url: str) -> SocketStream:
    host, _, port = url.removeprefix("http://").partition(":")
    return await anyio.connect_tcp(host, int(port))


async def rest_of(stream: SocketStream) -> bytes:
    """All that comes until the server ends the connection, in whatever way."""
    received = b""
    with suppress(anyio.BrokenResourceError):
        async for chunk in stream:
            received += chunk
    return received


async def is_served(url: str) -> None:
    """Somebody else is served as if nothing were."""
    async with httpx2.AsyncClient() as client:
        assert (await client.get(f"{url}/healthz")).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ",
        b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /healthz HTT",
    ],
    ids=["says nothing", "half a head", "half a second head"],
)
async def test_who_never_ends_a_head_is_left(serving: Serving, monkeypatch: pytest.MonkeyPatch, sent: bytes) -> None:
    monkeypatch.setattr(http_connection, "HEAD_SECONDS", 0.2)
    with anyio.fail_after(10):
        async with serving() as url, await connected(url) as slow:
            await slow.send(sent)
            await is_served(url)
            assert (await rest_of(slow)).endswith(
                b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            )


async def test_a_head_that_drips_is_left_however_often_a_drop_comes(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "HEAD_SECONDS", 0.3)
    ended = anyio.Event()
    with anyio.fail_after(10):
        async with serving() as url, await connected(url) as slow, anyio.create_task_group() as tasks:
            await slow.send(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n")

            async def drip() -> None:
                while not ended.is_set():
                    try:
                        await slow.send(b"X-A: b\r\n")
                    except anyio.BrokenResourceError:
                        return
                    await anyio.sleep(0.02)

            tasks.start_soon(drip)
            assert b"408" in await rest_of(slow)
            ended.set()


async def test_a_body_that_stops_coming_is_waited_for_only_so_long(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connection, "BODY_SECONDS", 0.2)
    head = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    with anyio.fail_after(10):
        async with serving() as url, await connected(url) as slow:
            await slow.send(head + b"{")
            await is_served(url)
            assert await rest_of(slow) == b""


async def test_a_body_that_keeps_coming_is_taken(serving: Serving, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_connection, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(http_connection, "BODY_RATE", 100)
    body = json.dumps(OPENING).encode() + b" " * 200
    with anyio.fail_after(10):
        async with serving() as url, await connected(url) as slow:
            await slow.send(
                b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
                b"Accept: application/json, text/event-stream\r\nConnection: close\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body)
            )
            for start in range(0, len(body), 40):
                await slow.send(body[start : start + 40])
                await anyio.sleep(0.05)  # slower than the time for a body, and faster than the rate
            assert b'"serverInfo"' in await rest_of(slow)


NO_REQUESTS: dict[str, bytes] = {
    "a large header": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Large: " + b"x" * 40_000 + b"\r\n\r\n",
    "many headers": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n" + b"X: y\r\n" * 6_000 + b"\r\n",
    "a long path": b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    "no host": b"GET /healthz HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\n\r\n",
    "a negative length": b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: -1\r\n\r\n",
    "two lengths": b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "a length beyond numbers": b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: "
    + b"9" * 5_000
    + b"\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200),
    "empty lines": b"\r\n" * 20_000,
}


async def test_what_is_no_request_is_refused_and_its_connection_ends(serving: Serving) -> None:
    with anyio.fail_after(20):
        async with serving() as url:
            for name, sent in NO_REQUESTS.items():
                async with await connected(url) as rude:
                    with suppress(anyio.BrokenResourceError):  # it was refused before all of it was sent
                        await rude.send(sent)
                        await rude.send_eof()
                    answer = await rest_of(rude)
                assert answer == b"" or answer.split()[1] in (b"400", b"421", b"431"), f"{name}: {answer[:200]!r}"
                await is_served(url)


@pytest.mark.parametrize("path", ["/mcp", "/messages/?session_id=00000000000000000000000000000000"])
@pytest.mark.parametrize("length", [f"Content-Length: {1 << 40}", "Transfer-Encoding: chunked"])
async def test_a_body_that_is_too_large_is_refused_by_its_length_or_its_bytes(
    serving: Serving, monkeypatch: pytest.MonkeyPatch, path: str, length: str
) -> None:
    monkeypatch.setattr("gleitzeit.mcp_server.http.LARGEST_BODY", 1 << 20)
    monkeypatch.setattr("gleitzeit.mcp_server.sessions.LARGEST_BODY", 1 << 20)
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{length}\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 65_536 + b"\r\n"
    with anyio.fail_after(20):
        async with serving() as url, await connected(url) as large:
            await large.send(head.encode())
            with suppress(anyio.BrokenResourceError):  # it was refused before all of it was sent
                for _ in range(20 if "chunked" in length else 1):
                    await large.send(chunk)
            assert (await large.receive()).startswith(b"HTTP/1.1 413")
            await is_served(url)


async def test_a_body_that_nobody_wants_is_not_read_for_ever(guarded: Guarding) -> None:
    head = b"POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    sent = 0
    with anyio.fail_after(20):
        async with guarded() as server, await connected(server.url) as stranger:
            await stranger.send(head)
            assert (await stranger.receive()).startswith(b"HTTP/1.1 401")
            with suppress(anyio.BrokenResourceError):
                while True:
                    await stranger.send(b"10000\r\n" + b" " * 65_536 + b"\r\n")
                    sent += 65_536
    assert sent > http_connection.UNWANTED_BYTES // 2


async def test_many_large_bodies_of_one_caller_are_not_all_taken_at_once(guarded: Guarding) -> None:
    head = (
        "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 20000000\r\n"
        "Authorization: {}\r\n\r\n"
    )
    with anyio.fail_after(20):
        async with guarded() as server, AsyncExitStack() as streams:
            opening = head.format(server.headers("alice")["Authorization"]).encode()
            for _ in range(8):
                stream = await streams.enter_async_context(await connected(server.url))
                await stream.send(opening + b"{")
            async with await connected(server.url) as ninth:
                await ninth.send(opening + b"{")
                assert (await ninth.receive()).startswith(b"HTTP/1.1 429")
            async with server.client("alice") as client:
                assert (await client.call_tool("list_runs", {})).structured_content == {"runs": []}


async def test_a_client_that_never_reads_is_asked_no_more_holds_up_nobody_and_is_left(
    serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It asks again and again, and reads no answer: once those fill the way to it, its requests are not read either."""

    def narrow(host: str, port: int) -> socket.socket:
        listening = listen(host, port)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4_096)  # for what it accepts, too
        return listening

    monkeypatch.setattr("tests.mcp_server.conftest.listen", narrow)
    monkeypatch.setattr(http_connection, "READ_SECONDS", 1.0)
    request = call_of("probe/big", {"size": 20_000})
    sent, served, left = 0, 0, anyio.Event()
    with anyio.fail_after(30):
        async with serving() as url, await connected(url) as deaf, anyio.create_task_group() as tasks:

            async def ask() -> None:
                nonlocal sent
                with suppress(anyio.BrokenResourceError):
                    while True:
                        await deaf.send(request)
                        sent += 1
                left.set()

            tasks.start_soon(ask)
            async with Client(f"{url}/mcp", cache=None) as client:
                echo = {"method": "probe/echo", "parameters": {"text": "a"}}
                for _ in range(5):
                    assert not (await client.call_tool("call_method", echo)).is_error
                await left.wait()
                listed = await client.call_tool("list_runs", {"name": "probe/big", "limit": 100})
                served = len(listed.structured_content["runs"])
    assert served < 50 < sent


async def test_a_client_that_leaves_in_mid_call_costs_no_run_and_no_room(guarded: Guarding) -> None:
    """The run of a workflow goes on. That of a single call has no other use than its answer, and stops."""
    echo = {"id": "a", "method": "probe/echo", "parameters": {"text": "a"}}
    tasks = [echo, {"id": "b", "depends_on": ["a"], "method": "probe/sleep"}]
    waiting = {"workflow": {"tasks": tasks}, "wait_seconds": 30}
    with anyio.fail_after(20):
        async with guarded(limits__caller_requests=10) as server:
            for _ in range(20):
                async with await connected(server.url) as leaving:
                    await leaving.send(asked("submit_workflow", waiting, server.headers("alice")))
                    while b"notifications/progress" not in await leaving.receive():
                        pass
            async with server.client("alice") as client:
                listed = await client.call_tool("list_runs", {})
    assert [run["status"] for run in listed.structured_content["runs"]] == ["running"] * 20


async def test_more_connections_than_there_may_be_are_told_so_and_ended(guarded: Guarding) -> None:
    with anyio.fail_after(20):
        async with guarded(limits__connections=5) as server, AsyncExitStack() as streams:
            for _ in range(5):
                await streams.enter_async_context(await connected(server.url))
            async with await connected(server.url) as sixth:
                assert (await rest_of(sixth)).startswith(b"HTTP/1.1 503")


async def test_two_hundred_clients_are_served_at_once(guarded: Guarding) -> None:
    """Each over a connection of its own, all of them open before the first asks."""
    answers: list[bytes] = []
    with anyio.fail_after(50):
        async with guarded() as server, AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(await connected(server.url)) for _ in range(200)]
            request = call_of("probe/echo", {"text": "one of many"}, {**server.headers("alice"), "Connection": "close"})

            async def ask(client: SocketStream) -> None:
                await client.send(request)
                answers.append(await rest_of(client))

            async with anyio.create_task_group() as tasks:
                for client in clients:
                    tasks.start_soon(ask, client)
    assert sum(b'"outputs":{"text":"one of many"}' in answer for answer in answers) == 200


@pytest.mark.parametrize("place", ["/mcp", "/messages/?session_id=0"])
@pytest.mark.parametrize("coding", ["utf-8", "utf-16"])
async def test_a_body_that_would_take_up_the_memory_is_not_read(serving: Serving, place: str, coding: str) -> None:
    many = f'{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"\u2200":[{"{}," * 1_000_000}1]}}}}'
    text = json.dumps({**OPENING, "params": {**HELLO, "_meta": {"text": "," * 1_100_000}}})
    with anyio.fail_after(30):
        async with serving() as url, httpx2.AsyncClient(base_url=url, headers=ACCEPT) as client:
            refused = await client.post(place, content=many.encode(coding))
            served = await client.post("/mcp", content=text, headers={"Content-Type": "application/json"})
    assert refused.status_code == {"utf-8": 413, "utf-16": 400}[coding]
    assert served.status_code == 200


async def test_nobody_is_believed_to_come_from_elsewhere(guarded: Guarding, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "gleitzeit")
    with anyio.fail_after(20):
        async with guarded() as server, httpx2.AsyncClient() as client:
            await client.get(f"{server.url}/mcp", headers={"X-Forwarded-For": "192.0.2.7"})
    assert "refused a request of 127.0.0.1" in caplog.text
