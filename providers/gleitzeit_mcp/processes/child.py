"""A server that runs as a child process and speaks over its stdin and stdout."""

from __future__ import annotations

import errno
import os
from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress

import anyio

from gleitzeit.core.errors import ConnectionLostError, ProviderUnavailableError
from gleitzeit_mcp.processes.command import Command
from gleitzeit_mcp.processes.group import end_group
from gleitzeit_mcp.processes.guard import Guard
from gleitzeit_mcp.processes.jobs import hold_in_job
from gleitzeit_mcp.processes.launch import Order, Process, launch
from gleitzeit_mcp.transports.base import Message, Receiver, Transport
from gleitzeit_mcp.transports.lines import Line, LineBuffer, Overlong
from gleitzeit_mcp.transports.messages import LARGEST, deliver, encoded, give_up

_BROKEN = (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError)

_KEPT_STDERR = 8 * 1024
_SHOWN_LINES = 10
_SHOWN_STRAY = 200
_EXIT_GRACE = 0.5
_DRAIN = 0.2

_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})
_EXHAUSTED_HINT = "the system has no room for it now: end other programs, or raise the limits (`ulimit -a` shows them)"
_PROGRAM_HINT = "check whether it is a program for this machine; a script names its interpreter after `#!`"


class Child(Transport):
    """One life of a server process. It leads its own process group, and the whole group ends with the connection.

    A descendant that left the group is beyond reach. Lines on its stdout that are no messages are counted in `junk`.
    """

    def __init__(self, command: Command, guard: Guard) -> None:
        self.command = command
        self.junk = 0
        self._guard = guard
        self._stray = ""
        self._process: Process | None = None
        self._receiver: Receiver | None = None
        self._stderr = bytearray()
        self._stderr_closed = anyio.Event()
        self._fault: str | None = None
        self._own_code: int | None = None
        self._gone = False
        self._leaving = False

    @property
    def pid(self) -> int | None:
        """The process id, which is also that of its group."""
        return self._process.pid if self._process else None

    @property
    def last_words(self) -> Sequence[str]:
        """The last lines it wrote to stderr."""
        return self._stderr.decode("utf-8", "replace").strip().splitlines()[-_SHOWN_LINES:]

    def diagnosis(self) -> str:
        """How it ended and the last lines it wrote to stderr, as far as known."""
        if self._process is None:
            return ""
        lines = self.last_words
        stderr = "; its stderr ends:\n  " + "\n  ".join(lines) if lines else "; it wrote nothing to stderr"
        return self._fate() + self._noise() + stderr

    def _noise(self) -> str:
        match self.junk:
            case 0:
                return ""
            case 1:
                return f"; a line on its stdout was no message: {self._stray}"
            case lines:
                return f"; {lines} lines on its stdout were no messages, the last: {self._stray}"

    def _fate(self) -> str:
        code = self._own_code
        if code is None:
            return self._fault or "it is still running"
        ended = f"it was killed by signal {-code}" if code < 0 else f"it exited with code {code}"
        return f"{self._fault}, and {ended}" if self._fault else ended

    @asynccontextmanager
    async def connect(self, receiver: Receiver) -> AsyncGenerator[Child]:
        """Start the process and exchange messages with it; at the end it and its whole process group are gone."""
        self._receiver = receiver
        process = await self._started()
        # No await may stand between the start and the shielded stop below, or a cancelled start would leak it.
        self._process = process
        try:
            async with anyio.create_task_group() as tasks:
                job = hold_in_job(process.pid)
                try:
                    tasks.start_soon(self._receive, process, receiver)
                    tasks.start_soon(self._keep_stderr, process)
                    tasks.start_soon(self._notice_exit, process)
                    yield self
                finally:
                    with anyio.CancelScope(shield=True):
                        self._leaving = True
                        await self._stop(process)
                    del job
                    tasks.cancel_scope.cancel()
        finally:
            self._guard.release(process.pid)
            process.close()

    async def _started(self) -> Process:
        command = self.command
        try:
            mark = await self._guard.expect()
            process = await launch(
                Order(argv=command.argv, environment={**command.environment, **mark}, folder=command.folder)
            )
        except OSError as error:
            reason = os.strerror(error.errno).lower() if error.errno else str(error)
            raise ProviderUnavailableError(
                f"{command.argv[0]} cannot be started: {reason}",
                hint=_EXHAUSTED_HINT if error.errno in _EXHAUSTED else _PROGRAM_HINT,
            ) from error
        self._guard.hold(process.pid, mark)
        return process

    def send(self, message: Message, headers: Mapping[str, str] | None = None) -> Awaitable[None] | None:
        """Write one message to its stdin."""
        data = encoded(message) + b"\n"
        if self._process is None or self._gone or self._leaving:
            raise ConnectionLostError("the server is gone", ambiguous=False)
        try:
            waiting = self._process.send(data)
        except _BROKEN as error:
            raise self._hung_up_on() from error
        return None if waiting is None else self._sent(waiting)

    async def _sent(self, waiting: Awaitable[None]) -> None:
        try:
            await waiting
        except _BROKEN as error:
            raise self._hung_up_on() from error

    def _hung_up_on(self) -> ConnectionLostError:
        self._lose("it closed its stdin")
        # What has no end of its line was not carried out.
        return ConnectionLostError("the server has closed its stdin", ambiguous=False)

    async def _receive(self, process: Process, receiver: Receiver) -> None:
        buffer = LineBuffer(LARGEST)

        def take(piece: bytes) -> bool:
            for line in buffer.take(piece):
                self._deliver(line, receiver)
            if len(buffer) > 2 * LARGEST:
                self._fault = f"it sent a message of more than {2 * LARGEST // 2**20} MiB"
            return self._fault is None

        fault = None
        try:
            await process.read_stdout(take)
        except OSError as error:
            fault = f"it cannot be listened to: {os.strerror(error.errno).lower() if error.errno else error}"
        self._lose(fault)

    async def _notice_exit(self, process: Process) -> None:
        """It may be gone although its stdout is open: what it has started holds on to that."""
        self._own_code = await process.wait()
        await anyio.sleep(_DRAIN)
        self._lose()

    def _lose(self, fault: str | None = None) -> None:
        self._fault = self._fault or fault
        self._gone = True
        if self._receiver is not None:
            self._receiver.ended()

    def _deliver(self, line: Line, receiver: Receiver) -> None:
        if isinstance(line, Overlong):
            if not give_up(line, receiver, LARGEST):
                self._fault = f"it sent a message of more than {LARGEST // 2**20} MiB"
        elif line.strip() and not deliver(line, receiver):
            self.junk += 1
            self._stray = line[:_SHOWN_STRAY].decode("utf-8", "replace").strip()

    async def _keep_stderr(self, process: Process) -> None:
        def keep(piece: bytes) -> bool:
            self._stderr += piece[-_KEPT_STDERR:]
            del self._stderr[:-_KEPT_STDERR]
            return True

        with suppress(OSError):  # it is of use to people alone
            await process.read_stderr(keep)
        self._stderr_closed.set()

    async def _stop(self, process: Process) -> None:
        """Close its stdin, give it time to leave, then end the whole group, its descendants included."""
        await process.close_stdin()
        with anyio.move_on_after(_EXIT_GRACE):
            code = await process.wait()
            if self._gone:  # nobody asked it to leave
                self._own_code = code
        await end_group(process)
        with anyio.move_on_after(_DRAIN):
            await self._stderr_closed.wait()
