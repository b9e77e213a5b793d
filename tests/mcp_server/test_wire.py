from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCNotification, JSONRPCRequest, JSONRPCResponse

from gleitzeit.mcp_server import wire as module
from gleitzeit.mcp_server.frames import MalformedFrameError
from gleitzeit.mcp_server.wire import FrameReader, Wire, open_frames

pytestmark = pytest.mark.anyio

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n'


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    source, sink = os.pipe()
    yield source, sink
    for descriptor in (source, sink):
        try:
            os.close(descriptor)
        except OSError:
            continue


async def test_a_message_may_arrive_in_pieces_and_without_a_last_newline(pipe: tuple[int, int]) -> None:
    reader = FrameReader(pipe[0])
    found: list[object] = []

    async def collect() -> None:
        found.extend([frame async for frame in reader])

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(collect)
            for byte in PING[:20]:
                os.write(pipe[1], bytes([byte]))
                await anyio.lowlevel.checkpoint()
            os.write(pipe[1], PING[20:] + b"\r\n" + PING.rstrip())
            os.close(pipe[1])
    assert [type(frame) for frame in found] == [SessionMessage, SessionMessage]


async def test_a_line_that_is_too_long_is_refused_and_forgotten(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 1_000)
    os.write(pipe[1], b"x" * 5_000 + b"\n" + PING)
    reader = FrameReader(pipe[0])
    with anyio.fail_after(5):
        refused, message = await reader.receive(), await reader.receive()
    assert isinstance(refused, MalformedFrameError)
    assert "1000 bytes" in str(refused)
    assert isinstance(message, SessionMessage)
    assert isinstance(message.message, JSONRPCRequest)


async def test_a_file_can_be_standard_input(tmp_path: Path) -> None:
    recorded = tmp_path / "recorded"
    recorded.write_bytes(PING * 3)
    descriptor = os.open(recorded, os.O_RDONLY)
    with anyio.fail_after(5):
        frames = [frame async for frame in FrameReader(descriptor)]
    os.close(descriptor)
    assert len(frames) == 3


async def test_waiting_for_a_silent_host_can_be_cancelled(pipe: tuple[int, int]) -> None:
    with anyio.move_on_after(0.05) as scope:
        await FrameReader(pipe[0]).receive()
    assert scope.cancelled_caught


async def test_a_large_message_is_written_whole_to_a_slow_reader(pipe: tuple[int, int]) -> None:
    large = JSONRPCResponse(jsonrpc="2.0", id=1, result={"text": "x" * 500_000})
    received = bytearray()
    with anyio.fail_after(5):
        async with open_frames(Wire(pipe[0], pipe[1])) as frames, anyio.create_task_group() as tasks:
            tasks.start_soon(frames.write.send, SessionMessage(large))
            while not received.endswith(b"\n"):
                await anyio.wait_readable(pipe[0])
                received += os.read(pipe[0], 1_000)
    assert len(received) > 500_000


async def test_a_host_that_reads_no_more_is_noticed(pipe: tuple[int, int]) -> None:
    os.close(pipe[0])
    note = JSONRPCNotification(jsonrpc="2.0", method="notifications/initialized")
    with anyio.fail_after(5):
        async with open_frames(Wire(pipe[0], pipe[1])) as frames:
            await frames.write.send(SessionMessage(note))
            await frames.gone.wait()


async def test_a_host_that_never_reads_does_not_hold_up_the_end(pipe: tuple[int, int]) -> None:
    large = JSONRPCResponse(jsonrpc="2.0", id=1, result={"text": "x" * 500_000})
    with anyio.fail_after(2):
        async with open_frames(Wire(pipe[0], pipe[1])) as frames:
            await frames.write.send(SessionMessage(large))


async def test_what_cannot_be_written_as_json_is_answered_by_an_error(pipe: tuple[int, int]) -> None:
    odd = JSONRPCResponse(jsonrpc="2.0", id=9, result={"text": "\ud800"})
    with anyio.fail_after(5):
        async with open_frames(Wire(pipe[0], pipe[1])) as frames:
            await frames.write.send(SessionMessage(odd))
            await anyio.wait_readable(pipe[0])
            line = os.read(pipe[0], 1_000)
    assert b'"id":9' in line
    assert b'"error"' in line


async def test_a_host_that_lets_answers_wait_is_read_again_once_it_reads(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    large = SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=1, result={"text": "x" * 200_000}))
    source, sink = os.pipe()
    found: list[object] = []

    with anyio.fail_after(10):
        async with open_frames(Wire(source, pipe[1])) as frames, anyio.create_task_group() as tasks:

            async def read_one() -> None:
                found.append(await frames.read.receive())

            for _ in range(4):
                tasks.start_soon(frames.write.send, large)
            await anyio.wait_all_tasks_blocked()
            os.write(sink, PING)
            tasks.start_soon(read_one)
            await anyio.wait_all_tasks_blocked()
            assert found == []
            received = 0
            while received < 4 * 200_000:
                await anyio.wait_readable(pipe[0])
                received += len(os.read(pipe[0], 100_000))
    assert [type(frame) for frame in found] == [SessionMessage]
    os.close(source)
    os.close(sink)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells that the other end is closed before all is read")
async def test_a_host_that_hangs_up_and_lets_answers_wait_is_given_up(
    pipe: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_WAITING", 3)
    large = SessionMessage(JSONRPCResponse(jsonrpc="2.0", id=1, result={"text": "x" * 200_000}))
    source, sink = os.pipe()
    os.write(sink, PING * 2)
    os.close(sink)
    with anyio.fail_after(10):
        async with open_frames(Wire(source, pipe[1])) as frames, anyio.create_task_group() as tasks:
            for _ in range(4):
                tasks.start_soon(frames.write.send, large)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(anyio.EndOfStream):
                await frames.read.receive()
            assert frames.gone.is_set()
            tasks.cancel_scope.cancel()
    os.close(source)


async def test_no_more_is_read_than_somebody_takes(pipe: tuple[int, int]) -> None:
    os.set_blocking(pipe[1], False)
    reader, flood = FrameReader(pipe[0]), PING * 50_000
    with anyio.fail_after(10):
        os.write(pipe[1], PING)
        await reader.receive()
        written = refused = 0
        while refused < 10:
            try:
                written += os.write(pipe[1], flood[written : written + 20_000])
                refused = 0
            except BlockingIOError:
                refused += 1
                await anyio.lowlevel.checkpoint()
        frames = [await reader.receive() for _ in range(written // len(PING))]
    assert written < len(flood)
    assert all(isinstance(frame, SessionMessage) for frame in frames)


async def test_who_was_cancelled_while_it_waited_misses_nothing(pipe: tuple[int, int]) -> None:
    reader = FrameReader(pipe[0])
    with anyio.fail_after(10):
        for _ in range(20):
            with anyio.move_on_after(0.001):
                await reader.receive()
            os.write(pipe[1], PING)
            assert isinstance(await reader.receive(), SessionMessage)


async def test_two_cannot_wait_for_a_message_at_once(pipe: tuple[int, int]) -> None:
    reader = FrameReader(pipe[0])
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(reader.receive)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(anyio.BusyResourceError):
                await reader.receive()
            os.write(pipe[1], PING)
