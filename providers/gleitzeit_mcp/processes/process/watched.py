"""`WatchedProcess`: its pipes and its end are descriptors of our own, which the loop watches.

There are none on Windows. Elsewhere the loop's own way to start processes, and that of a faster loop, have faults that
this one has not: ends of pipes that stay open, and a start that is lost where it is cancelled.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Awaitable
from contextlib import ExitStack

from gleitzeit_mcp.processes.process.base import Order, Process, Take
from gleitzeit_mcp.processes.process.exit import Exit
from gleitzeit_mcp.processes.process.reading import FromChild
from gleitzeit_mcp.processes.process.writing import ToChild


class WatchedProcess(Process):
    """Most writes wait for nobody, and reads are made where they are heard of."""

    def __init__(self, order: Order) -> None:
        """Start it, which takes no turn of the loop. Raises `OSError` where the system cannot start it."""
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
            self._exit = Exit(process)
            ours.pop_all()
        self._stdin = ToChild(stdin.ours)
        self._stdout, self._stderr = FromChild(stdout.ours), FromChild(stderr.ours)

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

    async def receive(self, take: Take) -> None:
        """Read until it is over."""
        await self._stdout.receive(take)

    async def complaints(self, take: Take) -> None:
        """Read until it is over."""
        await self._stderr.receive(take)

    async def hang_up(self) -> None:
        """Close it now, or once all is written."""
        self._stdin.hang_up()

    def let_go(self) -> None:
        """Close what is left, whatever is unsent."""
        for end in (self._stdin, self._stdout, self._stderr):
            end.close()
        self._exit.forget()


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
