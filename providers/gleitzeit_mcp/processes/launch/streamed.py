"""`StreamedProcess`: one of asyncio's own, which there are on every platform."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Self

import anyio
from anyio.abc import ByteReceiveStream
from anyio.abc import Process as AnyioProcess

from gleitzeit_mcp.processes.launch.base import CHUNK, Order, Process, Sink


class StreamedProcess(Process):
    """Its pipes are streams of asyncio's."""

    def __init__(self, process: AnyioProcess) -> None:
        self._process = process

    @classmethod
    async def start(cls, order: Order) -> Self:
        """Start it, shielded: asyncio leaks a process whose start is cancelled half-way."""
        started: Self | None = None
        with anyio.CancelScope(shield=True):
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

    async def read_stdout(self, sink: Sink) -> None:
        """Read piece by piece."""
        await _read(self._process.stdout, sink)

    async def read_stderr(self, sink: Sink) -> None:
        """Read piece by piece."""
        await _read(self._process.stderr, sink)

    async def close_stdin(self) -> None:
        """Close the stream, which flushes it."""
        if self._process.stdin is not None:
            with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                await self._process.stdin.aclose()

    def close(self) -> None:
        """Close the transport, which asyncio has no public way to do."""
        transport: Any = getattr(getattr(self._process, "_process", None), "_transport", None)
        close = getattr(transport, "close", None)
        if callable(close):
            with suppress(PermissionError, ProcessLookupError):
                close()


async def _read(stream: ByteReceiveStream | None, sink: Sink) -> None:
    while stream is not None and (piece := await _next_piece(stream)) and sink(piece):
        pass


async def _next_piece(stream: ByteReceiveStream) -> bytes:
    with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
        return await stream.receive(CHUNK)
    return b""
