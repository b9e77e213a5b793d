"""Ending a server with all that it has started."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import anyio

from gleitzeit_mcp.processes.launch import Process

_TERM_GRACE = 0.5
_KILL_GRACE = 0.5


async def end_group(process: Process) -> None:
    """End the process and its whole group: at first by asking, then without. A descendant that left it lives on."""
    if sys.platform == "win32" or not hasattr(os, "killpg"):
        with suppress(ProcessLookupError):
            process.kill()  # its job object takes the others along
        return
    for ending, grace in ((signal.SIGTERM, _TERM_GRACE), (signal.SIGKILL, _KILL_GRACE)):
        if not _told(process.pid, ending):
            return
        with anyio.move_on_after(grace):
            await process.wait()
            # Its children may need as long as it did, and tell nobody when they are gone.
            if ending is signal.SIGTERM and _told(process.pid, 0):
                await anyio.sleep(grace)


def _told(group: int, ending: int) -> bool:
    try:
        os.killpg(group, ending)
    except ProcessLookupError:
        return False
    except PermissionError:  # as macOS says of a group that is dead but not buried
        return False
    return True
