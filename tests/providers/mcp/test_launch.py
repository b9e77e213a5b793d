"""Pipes to a child: what is sent arrives whole and in order, whoever is cancelled, and what comes is handed over.

And its end, which is heard of whatever its descendants do.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from signal import SIGKILL
from subprocess import DEVNULL
from typing import Any

import anyio
import pytest
from tests.loops import BOTH_LOOPS
from tests.providers.mcp.sending import sent

from gleitzeit_mcp.processes.launch import Order, Process, Sink, StreamedProcess, WatchedProcess
from gleitzeit_mcp.processes.launch.pipe_reader import PipeReader
from gleitzeit_mcp.processes.launch.pipe_writer import PipeWriter

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform == "win32", reason="the loop of Windows watches no pipes"),
]


@pytest.fixture(params=BOTH_LOOPS)
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """Both loops: what is watched has to be closed in the order that each of them wants."""
    return request.param


LARGE = 300_000
"""Bytes that no pipe takes at once."""


def into(kept: bytearray) -> Sink:
    """Keeps all that comes."""

    def take(piece: bytes) -> bool:
        kept.extend(piece)
        return True

    return take


def enough(_piece: bytes) -> bool:
    return False


def descriptors() -> int:
    return len(list(Path("/dev/fd").iterdir()))


class Ends:
    """Both sides: ours, and what its child has."""

    def __init__(self) -> None:
        self.stdin, to_child = os.pipe()
        from_child, self.stdout = os.pipe()
        for ours in (to_child, from_child):
            os.set_blocking(ours, False)
        self.to_child, self.from_child = PipeWriter(to_child), PipeReader(from_child)

    def close_stdin(self) -> None:
        os.close(self.stdin)
        self.stdin = -1

    def close(self) -> None:
        self.to_child.close()
        self.from_child.close()
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
                tasks.start_soon(sent, ends.to_child.send(message))
            assert await ends.read(sum(map(len, messages))) == b"".join(messages)


async def test_a_sender_that_is_cancelled_half_way_cuts_nothing_off(ends: Ends) -> None:
    first, second = b"a" * LARGE + b"\n", b"b\n"
    with anyio.fail_after(10):
        with anyio.move_on_after(0.05):
            await sent(ends.to_child.send(first))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(sent, ends.to_child.send(second))
            assert await ends.read(len(first + second)) == first + second


async def test_a_child_that_reads_no_more_is_told_to_all_who_send(ends: Ends) -> None:
    lost: list[str] = []

    async def send(name: str) -> None:
        try:
            await sent(ends.to_child.send(name.encode() * LARGE))
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
            await sent(ends.to_child.send(data))
        ends.to_child.close_when_written()
        with pytest.raises(BrokenPipeError):
            await sent(ends.to_child.send(b"late"))
        assert await ends.read(2 * LARGE) == data


async def test_what_comes_is_handed_over_until_the_end(ends: Ends) -> None:
    taken = bytearray()
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ends.from_child.read, into(taken))
            for piece in (b"one", b"two"):
                os.write(ends.stdout, piece)
                while not taken.endswith(piece):
                    await anyio.lowlevel.checkpoint()
            os.close(ends.stdout)
            ends.stdout = -1
    assert taken == b"onetwo"


async def test_who_has_enough_is_given_no_more(ends: Ends) -> None:
    os.write(ends.stdout, b"one")
    with anyio.fail_after(10):
        await ends.from_child.read(lambda _: False)
    os.write(ends.stdout, b"two")
    await anyio.wait_all_tasks_blocked()
    with anyio.fail_after(10):
        await ends.from_child.read(lambda piece: piece != b"two")


@pytest.mark.parametrize("error", [ZeroDivisionError, PermissionError])
async def test_what_taking_raises_is_raised_where_somebody_waits(ends: Ends, error: type[Exception]) -> None:
    def take(_piece: bytes) -> bool:
        raise error

    os.write(ends.stdout, b"one")
    with anyio.fail_after(10), pytest.raises(error):
        await ends.from_child.read(take)


async def test_one_receives_at_a_time(ends: Ends) -> None:
    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ends.from_child.read, enough)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(anyio.BusyResourceError):
                await ends.from_child.read(lambda _: True)
            os.write(ends.stdout, b"one")


async def test_who_waits_for_a_child_that_never_reads_is_told_when_it_is_closed(ends: Ends) -> None:
    lost: list[bool] = []

    async def send() -> None:
        with pytest.raises(BrokenPipeError):
            await sent(ends.to_child.send(b"a" * LARGE))
        lost.append(True)

    with anyio.fail_after(10):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(send)
            await anyio.wait_all_tasks_blocked()
            ends.to_child.close_when_written()
            ends.to_child.close()
    assert lost == [True]


async def test_nothing_is_left_open(ends: Ends) -> None:
    before = descriptors()
    for _ in range(20):
        other = Ends()
        with anyio.move_on_after(0.001):
            await sent(other.to_child.send(b"a" * LARGE))
        with anyio.move_on_after(0.001):
            await other.from_child.read(lambda _: True)
        other.close()
    assert descriptors() == before


KINDS = pytest.mark.parametrize("kind", [WatchedProcess, StreamedProcess])


def program(text: str) -> list[str]:
    return [sys.executable, "-I", "-S", "-c", text]


@KINDS
async def test_a_child_answers_until_it_is_hung_up_on(kind: type[Process]) -> None:
    taken, complaints = bytearray(), bytearray()
    text = "import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer); sys.stderr.write('over')"
    with anyio.fail_after(10):
        process = await kind.start(Order(argv=program(text)))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(process.read_stdout, into(taken))
            tasks.start_soon(process.read_stderr, into(complaints))
            await sent(process.send(b"a" * LARGE))
            await sent(process.send(b"b"))
            await process.close_stdin()
        assert await process.wait() == 0
    process.close()
    assert bytes(taken) == b"a" * LARGE + b"b"
    assert bytes(complaints) == b"over"


@KINDS
async def test_a_child_without_pipes_has_nothing_to_say(kind: type[Process]) -> None:
    with anyio.fail_after(10):
        process = await kind.start(Order(argv=program("print(1)"), stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL))
        await process.read_stdout(enough)
        await process.read_stderr(enough)
        with pytest.raises(BrokenPipeError):
            await sent(process.send(b"a"))
        await process.close_stdin()
        assert await process.wait() == 0
    process.close()


@KINDS
async def test_a_child_has_no_descriptors_of_ours(kind: type[Process], anyio_backend: Any) -> None:
    """It could hold open what it has closed, as far as others see it."""
    if kind is StreamedProcess and anyio_backend != "asyncio":
        pytest.skip("the reason why ours is not the loop's own")
    taken = bytearray()
    with anyio.fail_after(10):
        others = [await kind.start(Order(argv=program("input()"))) for _ in range(2)]
        process = await kind.start(Order(argv=program("import os; print(sorted(map(int, os.listdir('/dev/fd'))))")))
        await process.read_stdout(into(taken))
        for each in (*others, process):
            await each.close_stdin()
            await each.wait()
            each.close()
    listed = json.loads(taken)
    assert [descriptor for descriptor in listed if descriptor < 3] == [0, 1, 2]
    assert len(listed) == 4, "the fourth is the folder itself"


@pytest.mark.parametrize("by", ["descriptor", "thread"])
async def test_its_end_is_heard_of(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if by == "thread":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    with anyio.fail_after(10):
        running = await WatchedProcess.start(Order(argv=program("input()")))
        assert running.returncode is None
        ended = await WatchedProcess.start(Order(argv=program("raise SystemExit(7)")))
        assert await ended.wait() == ended.returncode == 7
        running.kill()
        codes: list[int] = []

        async def wait() -> None:
            codes.append(await running.wait())

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            tasks.start_soon(wait)
    assert codes == [-SIGKILL, -SIGKILL]
    for each in (running, ended):
        each.close()


async def test_a_child_whose_end_nobody_could_hear_of_is_not_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = descriptors()
    monkeypatch.delattr(os, "pidfd_open", raising=False)
    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(OSError, match="temporarily unavailable"):
        await WatchedProcess.start(Order(argv=program("input()")))
    assert descriptors() == before


async def test_a_program_that_is_not_there_leaves_nothing_open() -> None:
    before = descriptors()
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            await WatchedProcess.start(Order(argv=["/no/such/program"]))
    assert descriptors() == before


async def test_whoever_starts_one_and_is_cancelled_has_it() -> None:
    process: WatchedProcess | None = None
    with anyio.CancelScope() as scope:
        scope.cancel()
        process = await WatchedProcess.start(Order(argv=program("input()")))
    assert process is not None
    process.kill()
    with anyio.fail_after(10):
        assert await process.wait() == -SIGKILL
    process.close()


@pytest.mark.parametrize("by", ["descriptor", "thread"])
async def test_its_end_is_heard_of_though_its_pipes_are_closed(by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if by == "thread":
        monkeypatch.delattr(os, "pidfd_open", raising=False)
    process = await WatchedProcess.start(Order(argv=program("import sys; sys.stdin.read(); raise SystemExit(3)")))
    process.close()
    with anyio.fail_after(10):
        assert await process.wait() == 3
