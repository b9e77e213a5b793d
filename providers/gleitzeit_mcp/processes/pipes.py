"""What leads to the stdin of a child and from its stdout: by the loop's own callbacks where it has them for pipes.

What is read is handed over in the task that receives: in a callback of the loop there is none, without which anyio may
not know where it is.
"""

from __future__ import annotations

import asyncio  # for its loop tells by callbacks what can be read, which costs less than one of its streams
import os
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

Take = Callable[[bytes], bool]
"""Is given what has come; says whether there may be more."""

_PIECE = 256 * 1024


class Pipes(ABC):
    """Our end of each. `stdin` and `stdout` are what the child is to be started with."""

    stdin: int
    stdout: int

    @abstractmethod
    def attach(self, process: Process) -> None:
        """The child has started, and has its own ends."""

    @abstractmethod
    async def send(self, data: bytes) -> None:
        """Write all of it, in one piece, even if whoever waits for that is cancelled.

        Raises `OSError` or one of anyio's errors where not all of it could be written.
        """

    @abstractmethod
    async def receive(self, take: Take) -> None:
        """Hand over what comes until that ends, or `take` has enough; what `take` raises is raised here.

        Raises `OSError` where the system watches no more descriptors.
        """

    @abstractmethod
    async def hang_up(self) -> None:
        """Close the child's stdin, once all that was sent is written to it."""

    @abstractmethod
    def close(self) -> None:
        """Close what is still open."""


def pipes() -> Pipes:
    """Those of this platform. Raises `OSError` where there are no descriptors left."""
    return StreamPipes() if sys.platform == "win32" else LoopPipes()


class StreamPipes(Pipes):
    """Streams of asyncio's own, which there are everywhere."""

    stdin = subprocess.PIPE
    stdout = subprocess.PIPE

    _sending: ByteSendStream
    _receiving: ByteReceiveStream

    def attach(self, process: Process) -> None:
        """Take its streams."""
        assert process.stdin is not None
        assert process.stdout is not None
        self._sending, self._receiving = process.stdin, process.stdout

    async def send(self, data: bytes) -> None:
        """Leave it to the stream."""
        await self._sending.send(data)

    async def receive(self, take: Take) -> None:
        """Read piece by piece."""
        while (piece := await self._next_piece()) and take(piece):
            pass

    async def _next_piece(self) -> bytes:
        with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            return await self._receiving.receive(_PIECE)
        return b""

    async def hang_up(self) -> None:
        """Close the stream, which flushes it."""
        with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._sending.aclose()

    def close(self) -> None:
        """Nothing: its streams are closed with the process."""


class LoopPipes(Pipes):
    """Descriptors that the loop watches: most writes wait for nobody, and reads are made where they are heard of.

    What the child does not read is kept, and flushed when it does. Of what it writes, no more is read than one piece
    ahead.
    """

    def __init__(self) -> None:
        self.stdin, self._to_child = os.pipe()
        try:
            self._from_child, self.stdout = os.pipe()
        except OSError:
            os.close(self.stdin)
            os.close(self._to_child)
            raise
        for ours in (self._to_child, self._from_child):
            os.set_blocking(ours, False)
        self._childs: tuple[int, ...] = (self.stdin, self.stdout)
        self._unsent = bytearray()
        self._flushed = 0
        self._moved = asyncio.Event()
        self._broken: OSError | None = None
        self._leaving = False
        self._receiving = False
        self._watched = False
        self._piece = b""
        self._ended = False
        self._expected: asyncio.Future[None] | None = None

    def attach(self, process: Process) -> None:
        """Close what is the child's."""
        del process
        self.close_childs()

    async def send(self, data: bytes) -> None:
        """Write it now, or as soon as the child reads."""
        if self._leaving:
            raise BrokenPipeError
        self._check()
        if not self._unsent:
            written = self._written(data)
            self._flushed += written
            if written == len(data):
                return
            data = data[written:]
            self._flush_later()
        self._unsent += data
        end = self._flushed + len(self._unsent)
        while self._flushed < end:
            self._check()
            await self._moved.wait()

    def _check(self) -> None:
        if self._broken is not None or self._to_child < 0:
            raise BrokenPipeError from self._broken

    def _written(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._to_child, data)
        except BlockingIOError:
            return 0

    def _flush_later(self) -> None:
        try:
            asyncio.get_running_loop().add_writer(self._to_child, self._flush)
        except OSError as error:  # after a part of a line nothing else may come
            self._broken = error
            raise

    def _flush(self) -> None:
        try:
            written = self._written(self._unsent)
        except OSError as error:
            self._broken = error
            self._close_stdin()
            return
        del self._unsent[:written]
        self._flushed += written
        if not self._unsent:
            asyncio.get_running_loop().remove_writer(self._to_child)
            if self._leaving:
                self._close_stdin()
        self._tell()

    def _tell(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()

    async def receive(self, take: Take) -> None:
        """Read until it is over."""
        if self._receiving:
            raise anyio.BusyResourceError("receiving from")
        self._receiving = True
        try:
            while (piece := await self._next_piece()) and take(piece):
                pass
        finally:
            self._receiving = False
            self._pause()

    async def _next_piece(self) -> bytes:
        """What has come, as soon as there is something; nothing at the end."""
        if not self._piece and not self._ended:
            self._watch()
            self._expected = asyncio.get_running_loop().create_future()
            try:
                await self._expected
            finally:
                self._expected = None
        piece, self._piece = self._piece, b""
        return piece

    def _watch(self) -> None:
        if not self._watched:
            asyncio.get_running_loop().add_reader(self._from_child, self._read)
            self._watched = True

    def _pause(self) -> None:
        if self._watched:
            self._watched = False
            asyncio.get_running_loop().remove_reader(self._from_child)

    def _read(self) -> None:
        if self._piece or self._ended:  # nobody has taken what was read before
            self._pause()
            return
        try:
            self._piece = os.read(self._from_child, _PIECE)
        except BlockingIOError:
            return
        except OSError:
            self._piece = b""
        self._ended = not self._piece
        if self._expected is not None and not self._expected.done():
            self._expected.set_result(None)

    async def hang_up(self) -> None:
        """Close it now, or once it is flushed."""
        self._leaving = True
        if not self._unsent:
            self._close_stdin()

    def close(self) -> None:
        """Close what is left, whatever is unsent."""
        self.close_childs()
        self._close_stdin()
        self._pause()
        if self._from_child >= 0:
            os.close(self._from_child)
            self._from_child = -1

    def _close_stdin(self) -> None:
        if self._to_child < 0:
            return
        if self._unsent:
            asyncio.get_running_loop().remove_writer(self._to_child)
            self._unsent.clear()
        os.close(self._to_child)
        self._to_child = -1
        self._tell()

    def close_childs(self) -> None:
        """Close the ends that are the child's."""
        for descriptor in self._childs:
            os.close(descriptor)
        self._childs = ()
