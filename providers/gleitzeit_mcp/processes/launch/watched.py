"""`WatchedProcess`: its pipes and its end are descriptors of our own, which the loop watches.

There are none on Windows. Elsewhere the loop's own way to start processes, and that of a faster loop, have faults that
this one has not: ends of pipes that stay open, and a start that is lost where it is cancelled.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Awaitable
from contextlib import ExitStack
from typing import Self

from gleitzeit_mcp.processes.launch.base import Order, Process, Sink
from gleitzeit_mcp.processes.launch.exit import Exit
from gleitzeit_mcp.processes.launch.pipe_reader import PipeReader
from gleitzeit_mcp.processes.launch.pipe_writer import PipeWriter


class WatchedProcess(Process):
    """Most writes wait for nobody, and reads are made where they are heard of."""

    def __init__(self, exit_: Exit, stdin: int, stdout: int, stderr: int) -> None:
        self._exit = exit_
        self._stdin = PipeWriter(stdin)
        self._stdout, self._stderr = PipeReader(stdout), PipeReader(stderr)

    @classmethod
    async def start(cls, order: Order) -> Self:
        """Start it without waiting for anything, so that nobody can be cancelled meanwhile."""
        return cls._started(order)

    @classmethod
    def _started(cls, order: Order) -> Self:
        with ExitStack() as ours, ExitStack() as theirs:
            stdin = _Pipe(order.stdin, ours, theirs, writes=True)
            stdout = _Pipe(order.stdout, ours, theirs)
            stderr = _Pipe(order.stderr, ours, theirs)
            process = subprocess.Popen(  # noqa: S603 - the user has configured it
                order.argv,
                stdin=stdin.theirs,
                stdout=stdout.theirs,
                stderr=stderr.theirs,
                cwd=order.folder,
                env=order.environment,
                start_new_session=True,
            )
            started = cls(Exit(process), stdin.ours, stdout.ours, stderr.ours)
            ours.pop_all()
        return started

    @property
    def pid(self) -> int:
        """Its number."""
        return self._exit.process.pid

    @property
    def returncode(self) -> int | None:
        """Its exit code."""
        return self._exit.process.returncode

    async def wait(self) -> int:
        """Wait for what the system says of it."""
        return await self._exit.code()

    def kill(self) -> None:
        """Send it SIGKILL."""
        self._exit.process.kill()

    def send(self, data: bytes) -> Awaitable[None] | None:
        """Write it now, or as soon as the child reads."""
        return self._stdin.send(data)

    async def read_stdout(self, sink: Sink) -> None:
        """Read until it is over."""
        await self._stdout.read(sink)

    async def read_stderr(self, sink: Sink) -> None:
        """Read until it is over."""
        await self._stderr.read(sink)

    async def close_stdin(self) -> None:
        """Close it now, or once all is written."""
        self._stdin.close_when_written()

    def close(self) -> None:
        """Close what is left, whatever is unsent."""
        for end in (self._stdin, self._stdout, self._stderr):
            end.close()


class _Pipe:
    """Its two ends: `theirs` is what the process is started with, and there is no `ours` where that is no pipe."""

    def __init__(self, stream: int, ours: ExitStack, theirs: ExitStack, *, writes: bool = False) -> None:
        self.ours, self.theirs = -1, stream
        if stream != subprocess.PIPE:
            return
        reading, writing = os.pipe()
        self.ours, self.theirs = (writing, reading) if writes else (reading, writing)
        ours.callback(os.close, self.ours)
        theirs.callback(os.close, self.theirs)
        os.set_blocking(self.ours, False)
