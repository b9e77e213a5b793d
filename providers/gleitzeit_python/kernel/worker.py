"""`WorkerProcess`: the host's ends of a worker that stands by for one job."""

from __future__ import annotations

import os
import select
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import anyio


@dataclass(eq=False, slots=True)
class WorkerProcess:
    """A process that is locked down and waits for its job on `rpc`; `exit` is what the zygote tells of its end."""

    pid: int
    pidfd: int
    rpc: socket.socket
    stdout: int
    stderr: int
    exited: anyio.Event = field(default_factory=anyio.Event)
    exit: Mapping[str, Any] = field(default_factory=dict[str, Any])
    killed: bool = False
    closed: bool = False

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        if self.closed:
            return False
        poll = select.poll()
        poll.register(self.pidfd, select.POLLIN)
        return not poll.poll(0)

    def kill(self) -> None:
        """End it, and with it all that it has started."""
        if not self.closed and not self.killed:
            self.killed = True
            with suppress(ProcessLookupError):
                signal.pidfd_send_signal(self.pidfd, signal.SIGKILL)

    async def bury(self) -> None:
        """Kill it, return once it is gone, and close what led to it."""
        self.kill()
        try:
            if not self.closed:
                await anyio.wait_readable(self.pidfd)
        finally:
            self.close()

    def close(self) -> None:
        """Kill it, and close what leads to it."""
        if self.closed:
            return
        self.kill()
        self.closed = True
        self.rpc.close()
        for descriptor in (self.stdout, self.stderr, self.pidfd):
            os.close(descriptor)
