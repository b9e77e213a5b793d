"""A server that runs as a child process and speaks over its stdin and stdout."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import anyio
from anyio.abc import ByteReceiveStream, ByteSendStream, Process
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.os.posix.utilities import terminate_posix_process_tree
from mcp.shared.message import SessionMessage

from gleitzeit_mcp import leash
from gleitzeit_mcp.command import Command
from gleitzeit_mcp.incoming import message_of
from gleitzeit_mcp.lines import LineBuffer

_LARGEST_LINE = 64 * 1024 * 1024
_KEPT_STDERR = 8 * 1024
_SHOWN_LINES = 10
_SHOWN_STRAY = 200
_EXIT_GRACE = 0.5
_KILL_GRACE = 0.5
_DRAIN = 0.2

Incoming = SessionMessage | Exception
Streams = tuple[MemoryObjectReceiveStream[Incoming], MemoryObjectSendStream[SessionMessage]]


class Child:
    """One life of a server process. It leads its own process group, and the whole group ends with the connection.

    A descendant that left the group is beyond reach. If this process is killed, the kernel ends the server on Linux;
    its descendants, and all of them elsewhere, see the end of their stdin.

    `ended` is set when its stdout closes. Lines on its stdout that are no messages are counted in `junk` and skipped.
    """

    def __init__(self, command: Command, ended: anyio.Event) -> None:
        self.command = command
        self.ended = ended
        self.junk = 0
        self._stray = ""
        self._process: Process | None = None
        self._stderr = bytearray()
        self._stderr_closed = anyio.Event()
        self._fault: str | None = None
        self._leaving = False

    @property
    def pid(self) -> int | None:
        """The process id, which is also that of its group."""
        return self._process.pid if self._process else None

    def diagnosis(self) -> str:
        """How it ended and the last lines it wrote to stderr, as far as known."""
        lines = self._stderr.decode("utf-8", "replace").strip().splitlines()[-_SHOWN_LINES:]
        stderr = "; its stderr ends:\n  " + "\n  ".join(lines) if lines else "; it wrote nothing to stderr"
        stray = f"; {self.junk} lines on its stdout were no messages, the last: {self._stray}" if self.junk else ""
        return self._fate() + stray + stderr

    def _fate(self) -> str:
        if self._fault:
            return self._fault
        code = self._process.returncode if self._process else None
        # A code that came after we asked it to leave says nothing about why.
        if code is None or (self._leaving and not self.ended.is_set()):
            return "it is still running"
        return f"it was killed by signal {-code}" if code < 0 else f"it exited with code {code}"

    @asynccontextmanager
    async def connect(self) -> AsyncGenerator[Streams, None]:
        """Start the process and exchange messages with it; at the end it and its whole process group are gone."""
        process = self._process = await _started(self.command)
        # No await may stand between the start and the shielded stop below, or a cancelled start would leak it.
        incoming_end, incoming = anyio.create_memory_object_stream[Incoming](0)
        outgoing, outgoing_end = anyio.create_memory_object_stream[SessionMessage](0)
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._receive, process.stdout, incoming_end)
            tasks.start_soon(self._send, process.stdin, outgoing_end)
            tasks.start_soon(self._keep_stderr, process.stderr)
            try:
                yield incoming, outgoing
            finally:
                with anyio.CancelScope(shield=True):
                    incoming.close()
                    outgoing.close()
                    self._leaving = True
                    await self._stop(process, process.stdin)
                tasks.cancel_scope.cancel()
        _release(process)

    async def _receive(self, stdout: ByteReceiveStream, incoming: MemoryObjectSendStream[Incoming]) -> None:
        with incoming:
            buffer = LineBuffer()
            with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
                while self._fault is None:
                    for line in buffer.take(await stdout.receive()):
                        await self._deliver(line, incoming)
                    if len(buffer) > _LARGEST_LINE:
                        self._fault = f"it sent a message of more than {_LARGEST_LINE // 2**20} MiB"
            self.ended.set()

    async def _deliver(self, line: bytes, incoming: MemoryObjectSendStream[Incoming]) -> None:
        if not line.strip():
            return
        message = message_of(line)
        if message is None:
            self.junk += 1
            self._stray = line[:_SHOWN_STRAY].decode("utf-8", "replace").strip()
            return
        # Once nobody listens, what it still writes is read and dropped, so that a full pipe cannot keep it alive.
        with suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            await incoming.send(SessionMessage(message))

    async def _send(self, stdin: ByteSendStream, outgoing: MemoryObjectReceiveStream[SessionMessage]) -> None:
        with outgoing, suppress(anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            async for message in outgoing:
                await stdin.send(message.message.model_dump_json(by_alias=True, exclude_unset=True).encode() + b"\n")

    async def _keep_stderr(self, stderr: ByteReceiveStream) -> None:
        with suppress(anyio.EndOfStream, anyio.ClosedResourceError, anyio.BrokenResourceError, OSError):
            while True:
                self._stderr += await stderr.receive()
                del self._stderr[:-_KEPT_STDERR]
        self._stderr_closed.set()

    async def _stop(self, process: Process, stdin: ByteSendStream) -> None:
        """Close its stdin, give it time to leave, then end the whole group, its descendants included."""
        with suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
            await stdin.aclose()
        with anyio.move_on_after(_EXIT_GRACE):
            await process.wait()
        await _end_group(process)
        with anyio.move_on_after(_KILL_GRACE):
            await process.wait()
        with anyio.move_on_after(_DRAIN):
            await self._stderr_closed.wait()


async def _started(command: Command) -> Process:
    process: Process | None = None
    with anyio.CancelScope(shield=True):  # asyncio leaks a process whose start is cancelled half-way
        process = await anyio.open_process(
            [*_leash(command), *command.argv],
            cwd=command.folder,
            env=command.environment,
            start_new_session=True,
        )
    assert process is not None
    return process


def _leash(command: Command) -> tuple[str, ...]:
    if sys.platform != "linux" or not sys.executable:
        return ()
    locale = command.environment.get("LC_CTYPE", "")
    return (sys.executable, "-I", "-S", leash.__file__, str(os.getpid()), locale)


async def _end_group(process: Process) -> None:
    if sys.platform == "win32" or not hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            process.kill()
        return
    await terminate_posix_process_tree(process, _KILL_GRACE)


def _release(process: Process) -> None:
    """Close the pipes that a descendant outside of the group may hold open; asyncio has no public way to do so."""
    transport = getattr(getattr(process, "_process", None), "_transport", None)
    close = getattr(transport, "close", None)
    if callable(close):
        with suppress(PermissionError, ProcessLookupError):
            close()
