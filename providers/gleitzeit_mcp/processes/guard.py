"""`Guard`: what sees to it that servers end with this process even where it is killed."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Mapping

import anyio

from gleitzeit_mcp.processes import warden
from gleitzeit_mcp.processes.launch import Order, launch

_LEAVING = 1.0
_WARDENS = hasattr(os, "fork") and hasattr(os, "killpg")


class Guard:
    """Tells a warden, a process of its own, which process groups to end when this process is gone.

    There is one for all servers of a hub, from the first of them on; on Windows a job object does the same, and there
    is none. One that was killed is replaced when the next server starts.
    """

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._starting = anyio.Lock()
        self._pipe: int | None = None

    async def expect(self) -> Mapping[str, str]:
        """What the environment of the next process has to have in it, which does not outlive this one from then on.

        Between the start of a process and the moment that its group is known it is found by that.
        """
        if not _WARDENS:
            return {}
        mark = secrets.token_hex(8)
        async with self._starting:
            if self._pipe is None:
                self._pipe = await _start()
                self._tell("".join(f"+{held}\n" for held in sorted(self._groups)))
            self._tell(f"?{mark}\n")
        return {warden.VARIABLE: mark}

    def hold(self, group: int, environment: Mapping[str, str]) -> None:
        """The group of the process that was started with what `expect` gave."""
        self._groups.add(group)
        self._tell(f"+{group}\n!{environment.get(warden.VARIABLE, '')}\n")

    def release(self, group: int) -> None:
        """The group is gone; its number may belong to somebody else soon."""
        self._groups.discard(group)
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Let the warden go, which has nothing to do any more."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            os.close(pipe)

    def _tell(self, words: str) -> None:
        if self._pipe is None:
            return
        try:
            os.write(self._pipe, words.encode())  # far less than a pipe holds: it never waits
        except OSError:
            self.close()


async def _start() -> int:
    theirs, ours = os.pipe()
    try:
        await _handed_over(theirs)
    except BaseException:
        os.close(ours)
        raise
    finally:
        os.close(theirs)
    return ours


async def _handed_over(stdin: int) -> None:
    """Start it, and wait until the process that was started has left behind the one that is nobody's child."""
    command = [sys.executable or "python3", "-I", "-S", warden.__file__]
    process = await launch(Order(argv=command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
    try:
        with anyio.move_on_after(_LEAVING, shield=True):
            await process.wait()
    finally:
        process.close()
