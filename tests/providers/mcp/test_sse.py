"""Servers of the older HTTP with SSE: real ones, and some of ours that misbehave."""

from __future__ import annotations

import json
import runpy
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.providers.mcp.sending import sent

from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderError, ProviderUnavailableError
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.servers.far import far_transport
from gleitzeit_mcp.transports.base import Transport, Wire

pytestmark = pytest.mark.anyio

FAULTS = runpy.run_path(str(Path(__file__).with_name("test_http_faults.py")))
serving: Callable[[Callable[[Any], Awaitable[object]]], AbstractAsyncContextManager[Any]] = FAULTS["serving"]
Recorder: Any = FAULTS["Recorder"]

CALL: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {}}
ANSWER: dict[str, Any] = {"jsonrpc": "2.0", "id": 7, "result": {}}
NOTICE: dict[str, Any] = {"jsonrpc": "2.0", "method": "notifications/initialized"}


class Older:
    """A server with one stream; `status` is how it takes what is posted."""

    def __init__(self, endpoint: str = "/messages?session=1") -> None:
        self.endpoint = endpoint
        self.status = "202 Accepted"
        self.posted: list[Any] = []
        self.leave = anyio.Event()
        self._stream: Any = None

    async def __call__(self, request: Any) -> None:
        if request.method == "GET":
            await request.open_events()
            await request.stream.send(f": hello\n\nevent: endpoint\ndata: {self.endpoint}\n\n".encode())
            self._stream = request
            await self.leave.wait()
            await request.stream.aclose()
            return
        self.posted.append(request)
        await request.reply(self.status, "out of ink")
        if "id" in request.message and self.status.startswith("2"):
            await self._stream.stream.send(b"data: junk\n\nevent: strange\ndata: {}\n\n")
            await self._stream.event({**ANSWER, "id": request.message["id"]}, "event: message\n")


@asynccontextmanager
async def connected(url: str, **settings: Any) -> AsyncGenerator[tuple[Wire, Any, Transport]]:
    """A connection, and what it says."""
    recorder = Recorder()
    server = Server.model_validate({"name": "far", "url": url, "connection_type": "sse", **settings})
    transport = far_transport(server)
    with anyio.fail_after(20):
        async with transport.connect(recorder) as wire:
            yield wire, recorder, transport


async def refusal(url: str) -> GleitzeitError:
    with pytest.raises(GleitzeitError) as failure:
        async with connected(url):
            pass
    return failure.value


async def test_messages_are_posted_to_the_endpoint_and_answered_on_the_stream() -> None:
    older = Older()
    async with serving(older) as far, connected(far.url, headers={"X-Team": "blue"}) as (wire, recorder, transport):
        await sent(wire.send(NOTICE))
        await sent(wire.send(CALL))
        assert await recorder.answer() == ANSWER
        assert not recorder.over.is_set()
    assert transport.junk == 1
    assert [request.target for request in older.posted] == ["/messages?session=1"] * 2
    assert all(request.headers["x-team"] == "blue" for request in far.seen)


async def test_the_end_of_the_stream_is_the_end_of_the_connection() -> None:
    older = Older()
    async with serving(older) as far, connected(far.url) as (wire, recorder, transport):
        older.leave.set()
        await recorder.over.wait()
        with pytest.raises(ConnectionLostError):
            await sent(wire.send(CALL))
    assert "ended the event stream" in transport.diagnosis()


@pytest.mark.parametrize(("status", "ambiguous"), [("500 Oh", True), ("503 Later", False), ("404 Gone", False)])
async def test_a_request_that_is_not_taken_fails_alone(status: str, ambiguous: bool) -> None:
    older = Older()
    async with serving(older) as far, connected(far.url) as (wire, recorder, _):
        older.status = status
        await sent(wire.send(CALL))
        with pytest.raises(GleitzeitError) as failure:
            await recorder.answer()
        assert (failure.value.ambiguous, "out of ink" in failure.value.message) == (ambiguous, True)
        with pytest.raises(ConnectionLostError):
            await sent(wire.send(NOTICE))
        older.status = "202 Accepted"
        await sent(wire.send({**CALL, "id": 8}))
        await recorder.answer(8)


async def test_a_refusal_that_is_nested_deeply_fails_its_request_alone() -> None:
    older = Older()

    async def handler(request: Any) -> None:
        if request.method == "POST" and request.message["id"] == 7:
            body = '{"error":' * 600 + "1" + "}" * 600
            await request.reply("502 Oh", body, {"Content-Type": "application/json"})
        else:
            await older(request)

    async with serving(handler) as far, connected(far.url) as (wire, recorder, _):
        await sent(wire.send(CALL))
        with pytest.raises(ProviderError):
            await recorder.answer()
        await sent(wire.send({**CALL, "id": 8}))
        await recorder.answer(8)


@pytest.mark.parametrize("message", [CALL, NOTICE])
async def test_a_connection_that_was_closed_says_so_and_takes_no_more(message: dict[str, Any]) -> None:
    async with serving(Older()) as far:
        async with connected(far.url) as (wire, recorder, _):
            assert not recorder.over.is_set()
        assert recorder.over.is_set()
        with pytest.raises(ConnectionLostError) as failure:
            await sent(wire.send(message))
    assert not failure.value.ambiguous


async def test_an_endpoint_on_another_host_is_not_used() -> None:
    async with serving(Older("http://127.0.0.1:9/steal")) as far:
        error = await refusal(far.url)
    assert isinstance(error, ProviderUnavailableError)
    assert "another host" in error.message


async def test_a_stream_that_ends_without_an_endpoint_cannot_be_used() -> None:
    async def handler(request: Any) -> None:
        await request.open_events()
        await request.stream.aclose()

    async with serving(handler) as far:
        error = await refusal(far.url)
    assert isinstance(error, ProviderUnavailableError)
    assert error.hint is not None
    assert "connection_type http" in error.hint


async def test_an_answer_that_is_no_stream_cannot_be_used() -> None:
    async def handler(request: Any) -> None:
        await request.reply("200 OK", json.dumps({}), {"Content-Type": "application/json"})

    async with serving(handler) as far:
        assert "application/json" in (await refusal(far.url)).message


@pytest.mark.parametrize(("status", "retryable"), [("401 Who", False), ("404 Gone", False), ("429 Slow", True)])
async def test_a_stream_that_is_refused_says_why(status: str, retryable: bool) -> None:
    async def handler(request: Any) -> None:
        await request.reply(status, "out of ink", {"Retry-After": "3"})

    async with serving(handler) as far:
        error = await refusal(far.url)
    assert isinstance(error, ProviderUnavailableError)
    assert (error.retryable, f"HTTP {status[:3]}" in error.message) == (retryable, True)


async def test_nobody_there_is_a_refused_connection() -> None:
    async with serving(Older()) as far:
        pass
    error = await refusal(far.url)
    assert isinstance(error, ProviderUnavailableError)
    assert "connection refused" in error.message
