"""Answers byte for byte: how they are cut, how they end, and what becomes of those that nobody waits for any more."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import anyio
import pytest
from anyio.abc import SocketStream

from gleitzeit.core.errors import ProviderError
from gleitzeit_ollama import OllamaProvider

pytestmark = pytest.mark.anyio

Script = Callable[[str, dict[str, Any], SocketStream], Awaitable[None]]
Serve = Callable[[Script], Awaitable[str]]
Call = Callable[..., Coroutine[Any, Any, dict[str, Any]]]
Start = Callable[..., Awaitable[Call]]

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
DONE = {"model": "tiny", "message": {"role": "assistant", "content": ""}, "done_reason": "stop", "done": True}


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def line(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def token(text: str) -> bytes:
    return line({"model": "tiny", "message": {"role": "assistant", "content": text}, "done": False})


def answering(*lines: bytes) -> Script:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(HEAD + b"".join(chunk(data) for data in lines) + END)

    return script


async def test_pieces_cut_in_the_middle_of_a_letter_make_the_same_text(start: Start, node: Serve) -> None:
    sent = token("Grüße 😀") + token(" ✓") + line(DONE)
    call = await start(await node(answering(*(sent[at : at + 1] for at in range(len(sent))))))
    assert (await call())["response"] == "Grüße 😀 ✓"


async def test_the_last_line_needs_no_end_of_line(start: Start, node: Serve) -> None:
    call = await start(await node(answering(token("hi"), line(DONE).rstrip())))
    assert (await call())["response"] == "hi"


async def test_one_connection_serves_call_after_call(start: Start, node: Serve) -> None:
    streams: list[SocketStream] = []

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        streams.append(stream)
        await answering(token("hi"), line(DONE))(path, body, stream)

    call = await start(await node(script))
    for _ in range(3):
        await call()
    assert len(streams) == 3
    assert len(set(streams)) == 1


async def test_a_server_that_does_not_end_its_response_is_not_waited_for(start: Start, node: Serve) -> None:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(HEAD + chunk(token("hi") + line(DONE)))
        await stream.receive()

    call = await start(await node(script))
    assert (await call())["response"] == "hi"


async def test_no_more_streams_are_open_than_configured_and_all_get_their_turn(start: Start, node: Serve) -> None:
    arrived: list[str] = []
    two, go = anyio.Event(), anyio.Event()

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        arrived.append(path)
        if len(arrived) == 2:
            two.set()
        await go.wait()
        await answering(token("hi"), line(DONE))(path, body, stream)

    url, results = await node(script), list[str]()
    call = await start({"url": url, "max_parallel": 8}, max_connections=2)
    async with anyio.create_task_group() as group:

        async def one() -> None:
            results.append((await call())["response"])

        for _ in range(9):
            group.start_soon(one)
        await two.wait()
        for _ in range(10):
            await anyio.wait_all_tasks_blocked()
        assert len(arrived) == 2
        go.set()
    assert results == ["hi"] * 9


@pytest.mark.parametrize("begun", [False, True], ids=["before the first byte", "in the middle"])
async def test_cancelling_hangs_up_at_once(start: Start, node: Serve, first_token: anyio.Event, begun: bool) -> None:
    asked, hung_up = anyio.Event(), anyio.Event()

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        if begun:
            await stream.send(HEAD + chunk(token("Once")))
        asked.set()
        try:
            await stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError):
            hung_up.set()
            raise

    call = await start(await node(script))
    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await (first_token if begun else asked).wait()
        group.cancel_scope.cancel()
    with anyio.fail_after(1):
        await hung_up.wait()


async def test_a_cancelled_call_gives_its_slot_to_the_next(start: Start, node: Serve) -> None:
    asked = anyio.Event()

    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        if not asked.is_set():
            asked.set()
            await stream.receive()
        await answering(token("hi"), line(DONE))(path, body, stream)

    call = await start(await node(script), max_connections=1)
    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await asked.wait()
        group.cancel_scope.cancel()
    assert (await call())["response"] == "hi"


async def test_shutting_down_ends_what_is_being_answered_and_what_waits(node: Serve, first_token: anyio.Event) -> None:
    async def script(path: str, body: dict[str, Any], stream: SocketStream) -> None:
        await stream.send(HEAD + chunk(token("Once")))
        await stream.receive()

    settings = {"endpoint": await node(script), "models": {"default": "tiny"}, "max_connections": 1, "max_retries": 3}
    provider = OllamaProvider("ollama", settings)
    await provider.initialize()
    caught: list[ProviderError] = []

    async def chat() -> None:
        try:
            await provider.handle_request("llm/chat", {"messages": "hi"})
        except ProviderError as error:
            caught.append(error)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(chat)
            group.start_soon(chat)
            await first_token.wait()
            await provider.shutdown()
    assert sorted(error.code for error in caught) == ["connection_lost", "provider_unavailable"]
    assert "shutting down" in next(error for error in caught if error.code == "provider_unavailable").message
