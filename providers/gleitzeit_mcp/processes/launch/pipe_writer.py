"""`PipeWriter`: writes to a pipe that the loop watches only while something is left over."""

from __future__ import annotations

import asyncio  # for its loop tells by a callback when there is room again
import os
from collections.abc import Awaitable


class PipeWriter:
    """Our end of a pipe; without a descriptor it is closed.

    What the child does not read is kept, and flushed when it does.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._unsent = bytearray()
        self._written_in_all = 0
        self._moved = asyncio.Event()
        self._broken: OSError | None = None
        self._leaving = False

    def send(self, data: bytes) -> Awaitable[None] | None:
        """Write all of it, in one piece, and give what has to be awaited where that takes time. Raises `OSError`."""
        if self._leaving:
            raise BrokenPipeError
        self._check()
        if not self._unsent:
            written = self._write(data)
            self._written_in_all += written
            if written == len(data):
                return None
            data = data[written:]
            self._flush_later()
        self._unsent += data
        return self._written(self._written_in_all + len(self._unsent))

    def close_when_written(self) -> None:
        """Close it now, or once all is written."""
        self._leaving = True
        if not self._unsent:
            self.close()

    def close(self) -> None:
        """Close it, whatever is unsent."""
        if self._descriptor < 0:
            return
        if self._unsent:
            asyncio.get_running_loop().remove_writer(self._descriptor)
            self._unsent.clear()
        os.close(self._descriptor)
        self._descriptor = -1
        self._tell()

    async def _written(self, end: int) -> None:
        while self._written_in_all < end:
            self._check()
            await self._moved.wait()

    def _check(self) -> None:
        if self._broken is not None or self._descriptor < 0:
            raise BrokenPipeError from self._broken

    def _write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0

    def _flush_later(self) -> None:
        try:
            asyncio.get_running_loop().add_writer(self._descriptor, self._flush)
        except OSError as error:  # after a part of a line nothing else may come
            self._broken = error
            raise

    def _flush(self) -> None:
        try:
            written = self._write(self._unsent)
        except OSError as error:
            self._broken = error
            self.close()
            return
        del self._unsent[:written]
        self._written_in_all += written
        if not self._unsent:
            asyncio.get_running_loop().remove_writer(self._descriptor)
        if self._leaving and not self._unsent:
            self.close()
        else:
            self._tell()

    def _tell(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
