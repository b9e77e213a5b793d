"""`StreamedProcess`: one of asyncio's own, which there are on every platform."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Self

import anyio
from anyio.abc import ByteReceiveStream
from anyio.abc import Process as AnyioProcess

from gleitzeit_mcp.processes.process.base import PIECE, Order, Process, Take


class StreamedProcess(Process):
    """Its pipes are streams of asyncio's."""

    def __init__(self, process: AnyioProcess) -> None:
        self._process = process

    @classmethod
    async def start(cls, order: Order) -> Self:
        """Raises `OSError` where the system cannot start it."""
        started: Self | None = None
        with anyio.CancelScope(shield=True):  # asyncio leaks a process whose start is cancelled half-way
            process = await anyio.open_process(
                order.argv,
                stdin=order.stdin,
                stdout=order.stdout,
                stderr=order.stderr,
                cwd=order.folder,
                env=order.environment,
                start_new_session=True,
            )
            started = cls(process)
        assert started is not None
        return started

    @property
    def pid(self) -> int:
        """Its number."""
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code."""
        return self._process.returncode

    async def wait(self) -> int:
        """Leave it to asyncio."""
        return await self._process.wait()

    def kill(self) -> None:
        """End it without asking."""
        self._process.kill()

    async def send(self, data: bytes) -> None:
        """Leave it to the stream."""
        if self._process.stdin is None:
            raise BrokenPipeError
        await self._process.stdin.send(data)

    async def receive(self, take: Take) -> None:
        """Read piece by piece."""
        await _read(self._process.stdout, take)

    async def complaints(self, take: Take) -> None:
        """Read piece by piece."""
        await _read(self._process.stderr, take)

    async def hang_up(self) -> None:
        """Close the stream, which flushes it."""
        if self._process.stdin is not None:
            with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                await self._process.stdin.aclose()

    def let_go(self) -> None:
        """Close the transport, which asyncio has no public way to do."""
        transport: Any = getattr(getattr(self._process, "_process", None), "_transport", None)
        close = getattr(transport, "close", None)
        if callable(close):
            with suppress(PermissionError, ProcessLookupError):
                close()


async def _read(stream: ByteReceiveStream | None, take: Take) -> None:
    while stream is not None and (piece := await _next_piece(stream)) and take(piece):
        pass


async def _next_piece(stream: ByteReceiveStream) -> bytes:
    with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
        return await stream.receive(PIECE)
    return b""
