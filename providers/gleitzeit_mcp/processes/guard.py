"""`Guard`: what sees to it that servers end with this process even where it is killed."""

from __future__ import annotations

import os
import subprocess
import sys

import anyio

from gleitzeit_mcp.processes import warden

_LEAVING = 1.0


class Guard:
    """Tells a warden, a process of its own, which process groups to end when this process is gone.

    There is one for all servers of a hub, from the first of them on; on Windows a job object does the same, and there
    is none. One that was killed is replaced when the next server starts.
    """

    def __init__(self) -> None:
        self._groups: set[int] = set()
        self._starting = anyio.Lock()
        self._pipe: int | None = None

    async def hold(self, group: int) -> None:
        """From now on the group does not outlive this process."""
        self._groups.add(group)
        if sys.platform == "win32" or not hasattr(os, "fork"):
            return
        async with self._starting:
            if not self._told(f"+{group}\n"):
                self._pipe = await _start()
                self._told("".join(f"+{held}\n" for held in sorted(self._groups)))

    def release(self, group: int) -> None:
        """The group is gone; its number may belong to somebody else soon."""
        self._groups.discard(group)
        self._told(f"-{group}\n")

    def close(self) -> None:
        """Let the warden go, which has nothing to do any more."""
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            os.close(pipe)

    def _told(self, words: str) -> bool:
        if self._pipe is None:
            return False
        try:
            os.write(self._pipe, words.encode())  # far less than a pipe holds: it never waits
        except OSError:
            self.close()
            return False
        return True


async def _start() -> int:
    theirs, ours = os.pipe()
    try:
        with anyio.CancelScope(shield=True):  # asyncio leaks a process whose start is cancelled half-way
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
    process = await anyio.open_process(
        command, stdin=stdin, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    with anyio.move_on_after(_LEAVING):
        await process.wait()
