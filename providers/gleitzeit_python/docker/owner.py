"""Whose a container is: the server that made it, so that another one can tell whether that is still there."""

from __future__ import annotations

import os
import platform
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Final

from gleitzeit_python.docker.daemon import Found

_FIELD_OF_START: Final = 19
_NEVER_STARTED: Final = ("created", "exited", "dead")
_GRACE: Final = 300


def this_server() -> str:
    """This process, by what no other one has in common with it."""
    return ":".join((_where(), str(os.getpid()), _started(os.getpid())))


def is_leftover(found: Found, server: str) -> bool:
    """Whether nobody is there any more to look after a container.

    One that runs ends by itself once its server is gone, so of servers elsewhere only those count that do not run.
    """
    where, pid, started = (*found.server.rsplit(":", 2), "", "")[:3]
    if found.server == server:
        return False
    if where == _where() and pid.isdecimal() and sys.platform == "linux":
        return _started(int(pid)) != started
    return found.state in _NEVER_STARTED and time.time() - found.created > _GRACE


def _where() -> str:
    """The machine since it was started, and which of its numberings of processes."""
    parts = [platform.node()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").stat().st_ino))
    return "/".join(parts)


def _started(pid: int) -> str:
    """When a process began, by the kernel's clock; nothing where there is none of that number, or no such clock."""
    with suppress(OSError, IndexError):
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return text.rpartition(")")[2].split()[_FIELD_OF_START]
    return ""
