"""`Exit`: how the loop hears that a child has ended."""

from __future__ import annotations

import asyncio  # for its loop tells by a callback that a descriptor can be read
import errno
import os
import subprocess
import threading
from contextlib import suppress


class Exit:
    """Of one child, whose remains are taken away as soon as it ends, whoever still waits for that.

    Linux has a descriptor for that (pidfd_open(2)); where there is none, a thread waits.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        """Listen. Raises `OSError` where that can't be, and has ended the child then."""
        self.process = process
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()
        self._descriptor = _descriptor_of(process.pid)
        if not self._is_watched():
            self._close()
            self._wait_beside()

    async def code(self) -> int:
        """Its exit code, as soon as there is one."""
        await self._ended.wait()
        assert self.process.returncode is not None
        return self.process.returncode

    def _is_watched(self) -> bool:
        if self._descriptor < 0:
            return False
        try:
            self._loop.add_reader(self._descriptor, self._look)
        except OSError:  # the system watches no more of them
            return False
        return True

    def _look(self) -> None:
        if self.process.poll() is not None:
            self._loop.remove_reader(self._descriptor)
            self._close()
            self._ended.set()

    def _wait_beside(self) -> None:
        try:
            threading.Thread(target=self._wait, name=f"waits for {self.process.pid}", daemon=True).start()
        except RuntimeError as error:
            self.process.kill()
            self.process.wait()
            raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error

    def _wait(self) -> None:
        self.process.wait()
        with suppress(RuntimeError):  # the loop is over, and nobody waits
            self._loop.call_soon_threadsafe(self._ended.set)

    def _close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _descriptor_of(pid: int) -> int:
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(pid)
    except OSError:  # an old kernel, or no descriptor left
        return -1
