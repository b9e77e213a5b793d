"""Standard input and output as the wire: one JSON message a line, and nobody else's output among them."""

from __future__ import annotations

import asyncio  # for its loop tells by callbacks what can be read, which costs a message less than waiting anew
import errno
import fcntl
import logging
import os
import select
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache

import anyio
import anyio.lowlevel
from anyio.abc import ObjectReceiveStream, ObjectSendStream
from mcp.shared.message import SessionMessage
from mcp_types import INVALID_REQUEST

from gleitzeit.mcp_server.frames import MalformedFrameError, decode, encode

logger = logging.getLogger(__name__)

LONGEST_LINE = 32 * 1024 * 1024
"""The bytes of a message: a document of the largest size, all of whose characters are escaped."""

MOST_WAITING = 256
"""The messages that wait for a host to read them; from one that lets more come up, no more is taken."""

_CHUNK = 256 * 1024
_LAST_WORDS = 0.5


@dataclass(frozen=True, slots=True)
class Wire:
    """The descriptors that lead to the host."""

    source: int
    sink: int


def claim_standard_streams() -> Wire:
    """Move the wire away from the standard streams, for the rest of the process.

    Whoever reads standard input finds its end, and whoever writes to standard output writes to standard error.
    """
    wire = Wire(fcntl.fcntl(0, fcntl.F_DUPFD_CLOEXEC, 3), fcntl.fcntl(1, fcntl.F_DUPFD_CLOEXEC, 3))
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # a host may start us without standard error
        os.dup2(nothing, 1)
    if nothing > 2:
        os.close(nothing)
    sys.stdout = sys.stderr
    return wire


class FrameWriter(ObjectSendStream[SessionMessage]):
    """Writes messages to a descriptor; a host that lets many of them wait is not read until it reads.

    What a pipe takes at once is written at once, and the rest by a task of its own: whoever sends may be cancelled in
    the middle of it. `gone` is set when the host reads no more.
    """

    def __init__(self, descriptor: int) -> None:
        self.gone = anyio.Event()
        self._descriptor = descriptor
        self._queue, self._queued = anyio.create_memory_object_stream[memoryview](0)
        self._under_way = 0
        self._written: anyio.Event | None = None

    @property
    def long(self) -> bool:
        """Whether too many messages wait."""
        return self._under_way >= MOST_WAITING and self._queued.statistics().tasks_waiting_send >= MOST_WAITING

    async def shrunk(self) -> None:
        """Return as soon as few wait."""
        while self.long:
            self._written = self._written or anyio.Event()
            await self._written.wait()

    async def send(self, item: SessionMessage) -> None:
        """Write a message, or have it written.

        Raises `BrokenResourceError` where it is known that the host reads no more.
        """
        data = memoryview(encode(item.message))
        if not self._under_way:
            data = self._written_at_once(data)
        if data:
            await self._hand_over(data)

    async def carry(self) -> None:
        """Write what was not written at once, until the host reads no more."""
        async with self._queued:
            try:
                async for data in self._queued:
                    await _write(self._descriptor, data)
                    self._under_way -= 1
                    self._took()
            except OSError as error:
                self._lost(error)

    async def aclose(self) -> None:
        """Take no more."""
        self._queue.close()

    def _written_at_once(self, data: memoryview) -> memoryview:
        """What is left of it once the pipe takes no more without waiting."""
        if self.gone.is_set():
            raise anyio.BrokenResourceError
        try:
            while data and _writable_now(self._descriptor):
                data = data[_piece_written(self._descriptor, data) :]
        except BlockingIOError:
            pass
        except OSError as error:
            self._lost(error)
            return data[:0]
        return data

    async def _hand_over(self, data: memoryview) -> None:
        self._under_way += 1
        try:
            await self._queue.send(data)
        except BaseException:
            self._under_way -= 1
            raise

    def _took(self) -> None:
        if self._written is not None:
            self._written.set()
            self._written = None

    def _lost(self, error: OSError) -> None:
        logger.info("the host reads no more: %s", error)
        self.gone.set()


class FrameReader(ObjectReceiveStream[SessionMessage | Exception]):
    """Reads messages from a descriptor; a line that is none comes as a `MalformedFrameError`.

    `ended` is set once the host has hung up.

    It waits on the event loop, never in a thread: a thread in `read` could not be stopped before the host writes.
    The loop reads as soon as there is something, and pauses while enough of it waits here.
    """

    def __init__(self, descriptor: int, writer: FrameWriter | None = None) -> None:
        self._descriptor = descriptor
        self._writer = writer
        self._buffer = bytearray()
        self._searched = 0
        self._skipping = False
        self._ended = False
        self._closed = False
        self._watched = False
        self._expected: asyncio.Future[None] | None = None
        self.ended = anyio.Event()

    async def receive(self) -> SessionMessage | Exception:
        """The next message; raises `EndOfStream` when the host has hung up."""
        while True:
            line = self._line()
            if line is None:
                if self._closed:
                    raise anyio.ClosedResourceError
                if self._ended:
                    self.ended.set()
                    raise anyio.EndOfStream
                await self._fill()
            elif isinstance(line, Exception):
                return line
            elif line.strip():
                await self._wait_for_its_reader()
                return decode(line)

    async def _wait_for_its_reader(self) -> None:
        """Raises `EndOfStream` for a host that has hung up and does not read what waits for it."""
        if self._writer is None or not self._writer.long:
            return
        with anyio.CancelScope() as patience:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._lose_patience, patience)
                await self._writer.shrunk()
                tasks.cancel_scope.cancel()
        if patience.cancelled_caught:
            self._writer.gone.set()
            raise anyio.EndOfStream

    async def hung_up(self) -> None:
        """Return once the host has hung up, whatever of it is still to be read; where that can't be seen, never."""
        await _hung_up(self._descriptor)

    async def _lose_patience(self, patience: anyio.CancelScope) -> None:
        await _hung_up(self._descriptor)
        patience.deadline = anyio.current_time() + _LAST_WORDS

    def _line(self) -> bytes | Exception | None:
        end = self._buffer.find(b"\n", self._searched)
        if end < 0:
            return self._unfinished()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 1]
        self._searched = 0
        if self._skipping or len(line) > LONGEST_LINE:
            self._skipping = False
            return MalformedFrameError(INVALID_REQUEST, f"a message has at most {LONGEST_LINE} bytes")
        return line

    def _unfinished(self) -> bytes | None:
        if self._ended and self._buffer:
            line = bytes(self._buffer)
            self._buffer.clear()
            return None if self._skipping else line
        if len(self._buffer) > LONGEST_LINE:
            self._skipping = True
        if self._skipping:
            self._buffer.clear()
        self._searched = len(self._buffer)
        return None

    async def _fill(self) -> None:
        if not self._watch():
            await anyio.lowlevel.checkpoint()  # a file or /dev/null: always ready, and nothing that can be waited for
            self._read()
            return
        if self._expected is not None:
            raise anyio.BusyResourceError("receiving from")
        self._expected = asyncio.get_running_loop().create_future()
        try:
            await self._expected
        finally:
            self._expected = None

    def _watch(self) -> bool:
        """Have the loop read; False where it can't."""
        if not self._watched:
            try:
                asyncio.get_running_loop().add_reader(self._descriptor, self._read_on)
            except PermissionError as error:
                if error.errno != errno.EPERM:
                    raise
                return False
            self._watched = True
        return True

    def _read_on(self) -> None:
        if self._expected is None and len(self._buffer) >= _CHUNK:
            self._pause()
            return
        self._read()
        if self._ended:
            self._pause()
        self._wake()

    def _wake(self) -> None:
        if self._expected is not None and not self._expected.done():
            self._expected.set_result(None)

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK)
        except BlockingIOError:  # a host may have made its end non-blocking; another process was faster
            return
        except OSError:
            data = b""
        self._ended = not data
        self._buffer += data

    def _pause(self) -> None:
        """Have the loop read no more, until something is missing here."""
        if self._watched:
            self._watched = False
            asyncio.get_running_loop().remove_reader(self._descriptor)

    async def aclose(self) -> None:
        """Read no more; the descriptor stays open as long as the process."""
        self._pause()
        self._closed = True
        self._buffer.clear()
        self._wake()


@dataclass(frozen=True, slots=True)
class Frames:
    """Both directions of the wire."""

    read: FrameReader
    write: FrameWriter

    @property
    def gone(self) -> anyio.Event:
        """Set when the host reads no more."""
        return self.write.gone


@asynccontextmanager
async def open_frames(wire: Wire) -> AsyncGenerator[Frames]:
    """Carry messages over `wire`; what was sent before the end is still written, if the host reads it soon."""
    writer = FrameWriter(wire.sink)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(writer.carry)
        reader = FrameReader(wire.source, writer)
        try:
            yield Frames(reader, writer)
        finally:
            await reader.aclose()
            await writer.aclose()
            tasks.cancel_scope.deadline = anyio.current_time() + _LAST_WORDS


async def _write(descriptor: int, rest: memoryview) -> None:
    while rest:
        if not _writable_now(descriptor):
            await _ready_to_be_written(descriptor)
        with suppress(BlockingIOError):
            rest = rest[_piece_written(descriptor, rest) :]


def _piece_written(descriptor: int, data: memoryview) -> int:
    """A pipe that is ready takes this much without blocking, whatever mode the host has put it in."""
    return os.write(descriptor, data[: select.PIPE_BUF])


def _writable_now(descriptor: int) -> bool:
    """Whether a write would not wait; asking so costs a tenth of a turn of the event loop."""
    told = _probe(descriptor).poll(0)
    return bool(told) and bool(told[0][1] & select.POLLOUT)


@lru_cache(maxsize=8)
def _probe(descriptor: int) -> select.poll:
    probe = select.poll()
    probe.register(descriptor, select.POLLOUT)
    return probe


async def _hung_up(descriptor: int) -> None:
    """Return once the other end is closed, whatever is still to be read; where that can't be seen, never."""
    if sys.platform == "linux":
        with select.epoll() as watched, suppress(PermissionError):  # a file has no other end
            watched.register(descriptor, 0)
            await anyio.wait_readable(watched.fileno())
            return
    await anyio.sleep_forever()


async def _ready_to_be_written(descriptor: int) -> None:
    try:
        await anyio.wait_writable(descriptor)
    except PermissionError as error:
        if error.errno != errno.EPERM:
            raise
        await anyio.lowlevel.checkpoint()  # a file or /dev/null: always ready, and nothing that can be waited for
