"""`Capture`: what a worker prints, kept up to a limit and counted beyond it; `Pipe`: that of a pipe of ours."""

from __future__ import annotations

import os

_PIECE = 64 << 10
_PIPE = 1 << 20


class Capture:
    """The first `limit` bytes of what comes; `total` is how many there were."""

    __slots__ = ("_limit", "data", "total")

    def __init__(self, limit: int) -> None:
        self.data = bytearray()
        self.total = 0
        self._limit = limit

    def add(self, data: bytes) -> None:
        """Take more of it."""
        self.total += len(data)
        self.data += data[: max(0, self._limit - len(self.data))]


class Pipe(Capture):
    """What comes out of a pipe that does not block; it is `open` until its other end is gone."""

    __slots__ = ("descriptor", "open")

    def __init__(self, descriptor: int, limit: int) -> None:
        super().__init__(limit)
        self.descriptor = descriptor
        self.open = True

    def read(self) -> int:
        """Take what is there now, up to a piece of it; how many bytes that was."""
        try:
            data = os.read(self.descriptor, _PIECE)
        except BlockingIOError:
            return 0
        except OSError:
            data = b""
        if not data:
            self.open = False
        self.add(data)
        return len(data)

    def drain(self) -> None:
        """Take what is left in the pipe, and not what somebody may go on to write into it."""
        most = self.total + _PIPE
        while self.open and self.total < most and self.read():
            pass
