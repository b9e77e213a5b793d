"""`StreamPipes`: streams of asyncio's own, which there are on every platform."""

from __future__ import annotations

import subprocess
from contextlib import suppress

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process

from gleitzeit_mcp.processes.pipes.base import PIECE, Pipes, Take


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
            return await self._receiving.receive(PIECE)
        return b""

    async def hang_up(self) -> None:
        """Close the stream, which flushes it."""
        with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await self._sending.aclose()

    def close(self) -> None:
        """Nothing: its streams are closed with the process."""
