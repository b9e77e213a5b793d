"""`PipeReader`: reads from a pipe that the loop watches, no more than one piece ahead of whoever wants it.

What is read is handed over in the task that reads: in a callback of the loop there is none, without which anyio may
not know where it is.
"""

from __future__ import annotations

import asyncio  # for its loop tells by a callback what can be read, which costs less than one of its streams
import os

import anyio

from gleitzeit_mcp.processes.launch.base import CHUNK, Sink


class PipeReader:
    """Our end of a pipe; without a descriptor it is at its end."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._reading = False
        self._watched = False
        self._piece = b""
        self._ended = descriptor < 0
        self._expected: asyncio.Future[None] | None = None

    async def read(self, sink: Sink) -> None:
        """Hand over what comes until that ends, or `sink` has enough; one reads at a time."""
        if self._reading:
            raise anyio.BusyResourceError("reading from")
        self._reading = True
        try:
            while (piece := await self._next_piece()) and sink(piece):
                pass
        finally:
            self._reading = False
            self._pause()

    def close(self) -> None:
        """Close it, whatever is unread."""
        self._pause()
        self._ended = True
        self._tell()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

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
            asyncio.get_running_loop().add_reader(self._descriptor, self._read)
            self._watched = True

    def _pause(self) -> None:
        if self._watched:
            self._watched = False
            asyncio.get_running_loop().remove_reader(self._descriptor)

    def _read(self) -> None:
        if self._piece or self._ended:  # nobody has taken what was read before
            self._pause()
            return
        try:
            self._piece = os.read(self._descriptor, CHUNK)
        except BlockingIOError:
            return
        except OSError:
            self._piece = b""
        self._ended = not self._piece
        self._tell()

    def _tell(self) -> None:
        if self._expected is not None and not self._expected.done():
            self._expected.set_result(None)
