"""`ProcessLine`: a process of ours, in a group of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress

import anyio
from anyio.abc import Process

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit_python.stdio.base import Line

_KEPT_OF_SYSTEM = ("SYSTEMROOT", "WINDIR", "COMSPEC", "TEMP", "TMP")


class ProcessLine(Line):
    """Speaks with a process through its standard streams."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @classmethod
    async def start(cls, command: Sequence[str], *, folder: str | None, env: Mapping[str, str]) -> ProcessLine:
        """Start it with this environment alone. Raises `ProviderUnavailableError` where it does not start."""
        try:
            return cls(await _opened(command, folder, {"LANG": "C.UTF-8", **_of_the_system(), **env}))
        except OSError as error:
            raise ProviderUnavailableError(f"{command[0]} does not start: {error}") from error

    @property
    def alive(self) -> bool:
        """Whether the process is still there."""
        return self._process.returncode is None

    async def send(self, data: bytes) -> None:
        """Write to its standard input."""
        assert self._process.stdin is not None
        await self._process.stdin.send(data)

    async def receive(self) -> bytes:
        """Read from its standard output."""
        assert self._process.stdout is not None
        try:
            return await self._process.stdout.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            return b""

    async def kill(self) -> None:
        """Kill the whole group, and see it gone."""
        if sys.platform == "win32":
            with suppress(ProcessLookupError):
                self._process.kill()
        else:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with anyio.CancelScope(shield=True):
            await self._process.aclose()


async def _opened(command: Sequence[str], folder: str | None, env: Mapping[str, str]) -> Process:
    """Open it, whole: what was cancelled halfway would be nobody's."""
    opened: list[Process] = []
    with anyio.CancelScope(shield=True):
        process = await anyio.open_process(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=folder,
            env=env,
            start_new_session=True,
        )
        opened.append(process)
    return opened[0]


def _of_the_system() -> Mapping[str, str]:
    """What Python does not start without on Windows."""
    return {name: os.environ[name] for name in _KEPT_OF_SYSTEM if name in os.environ} if sys.platform == "win32" else {}
