"""Pipes to a child: what is sent arrives whole and in order, whoever is cancelled, and what comes is handed over."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest

from gleitzeit_mcp.processes.pipes import LoopPipes, Pipes, StreamPipes
from gleitzeit_mcp.processes.starting import let_go, started

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="the loop of Windows watches no pipes"),
]

LARGE = 300_000
"""Bytes that no pipe takes at once."""


def enough(_piece: bytes) -> bool:
    return False


class Ends:
    """Both sides: `pipes`, and what its child has."""

    def __init__(self) -> None:
        self.pipes = LoopPipes()
        self.stdin, self.stdout = os.dup(self.pipes.stdin), os.dup(self.pipes.stdout)
        self.pipes.attach(None)

    def close_stdin(self) -> None:
        os.close(self.stdin)
        self.stdin = -1

    def close(self) -> None:
        self.pipes.close()
        for descriptor in (self.stdin, self.stdout):
            if descriptor >= 0:
                os.close(descriptor)

    async def read(self, size: int) -> bytes:
        """What the child reads of so many bytes, or until the end."""
        data = b""
        while len(data) < size:
            await anyio.wait_readable(self.stdin)
            piece = os.read(self.stdin, size - len(data))
            if not piece:
                break
            data += piece
        return data


@pytest.fixture
async def ends() -> AsyncIterator[Ends]:
    ends = Ends()
    yield ends
    ends.close()


async def test_what_the_child_does_not_read_yet_arrives_in_order(ends: Ends) -> None:
    messages = [bytes([65 + number]) * (LARGE if number % 3 else 10) + b"\n" for number in range(12)]
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for message in messages:
                tasks.start_soon(ends.pipes.send, message)
            assert await ends.read(sum(map(len, messages))) == b"".join(messages)


async def test_a_sender_that_is_cancelled_half_way_cuts_nothing_off(ends: Ends) -> None:
    first, second = b"a" * LARGE + b"\n", b"b\n"
    with anyio.fail_after(10):
        with anyio.move_on_after(0.05):
            await ends.pipes.send(first)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ends.pipes.send, second)
            assert await ends.read(len(first + second)) == first + second


async def test_a_child_that_reads_no_more_is_told_to_all_who_send(ends: Ends) -> None:
    lost: list[str] = []

    async def send(name: str) -> None:
        try:
            await ends.pipes.send(name.encode() * LARGE)
        except OSError:
            lost.append(name)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            for name in "ab":
                tasks.start_soon(send, name)
            await anyio.wait_all_tasks_blocked()
            ends.close_stdin()
        await send("c")
    assert sorted(lost) == ["a", "b", "c"]


async def test_hanging_up_waits_for_what_is_unsent(ends: Ends) -> None:
    data = b"a" * LARGE
    with anyio.fail_after(10):
        with anyio.move_on_after(0.05):
            await ends.pipes.send(data)
        await ends.pipes.hang_up()
        with pytest.raises(BrokenPipeError):
            await ends.pipes.send(b"late")
        assert await ends.read(2 * LARGE) == data


async def test_what_comes_is_handed_over_until_the_end(ends: Ends) -> None:
    taken: list[bytes] = []

    def take(piece: bytes) -> bool:
        taken.append(piece)
        return True

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ends.pipes.receive, take)
            for piece in (b"one", b"two"):
                os.write(ends.stdout, piece)
                while b"".join(taken)[-3:] != piece:
                    await anyio.lowlevel.checkpoint()
            os.close(ends.stdout)
            ends.stdout = -1
    assert b"".join(taken) == b"onetwo"


async def test_who_has_enough_is_given_no_more(ends: Ends) -> None:
    os.write(ends.stdout, b"one")
    with anyio.fail_after(10):
        await ends.pipes.receive(lambda _: False)
    os.write(ends.stdout, b"two")
    await anyio.wait_all_tasks_blocked()
    with anyio.fail_after(10):
        await ends.pipes.receive(lambda piece: piece != b"two")


@pytest.mark.parametrize("error", [ZeroDivisionError, PermissionError])
async def test_what_taking_raises_is_raised_where_somebody_waits(ends: Ends, error: type[Exception]) -> None:
    def take(_piece: bytes) -> bool:
        raise error

    os.write(ends.stdout, b"one")
    with anyio.fail_after(10), pytest.raises(error):
        await ends.pipes.receive(take)


async def test_one_receives_at_a_time(ends: Ends) -> None:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ends.pipes.receive, enough)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(anyio.BusyResourceError):
                await ends.pipes.receive(lambda _: True)
            os.write(ends.stdout, b"one")


async def test_who_waits_for_a_child_that_never_reads_is_told_when_it_is_closed(ends: Ends) -> None:
    lost: list[bool] = []

    async def send() -> None:
        with pytest.raises(BrokenPipeError):
            await ends.pipes.send(b"a" * LARGE)
        lost.append(True)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            await ends.pipes.hang_up()
            ends.pipes.close()
    assert lost == [True]


async def test_nothing_is_left_open(ends: Ends) -> None:
    def descriptors() -> int:
        return len(list(Path("/dev/fd").iterdir()))

    before = descriptors()
    for _ in range(20):
        other = Ends()
        with anyio.move_on_after(0.001):
            await other.pipes.send(b"a" * LARGE)
        with anyio.move_on_after(0.001):
            await other.pipes.receive(lambda _: True)
        other.close()
        other.pipes.close()
    assert descriptors() == before


@pytest.mark.parametrize("kind", [LoopPipes, StreamPipes])
async def test_a_child_answers_until_it_is_hung_up_on(kind: type[Pipes]) -> None:
    taken = bytearray()

    def take(piece: bytes) -> bool:
        taken.extend(piece)
        return True

    pipes = kind()
    program = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)"
    with anyio.fail_after(10):
        process = await started([sys.executable, "-I", "-S", "-c", program], stdin=pipes.stdin, stdout=pipes.stdout)
        pipes.attach(process)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(pipes.receive, take)
            await pipes.send(b"a" * LARGE)
            await pipes.send(b"b")
            await pipes.hang_up()
        assert await process.wait() == 0
    pipes.close()
    let_go(process)
    assert bytes(taken) == b"a" * LARGE + b"b"
