"""Ends the process groups of a Gleitzeit that was killed, and then itself.

Run as a script by a bare interpreter: `python -I -S warden.py`. Its stdin names the groups, `+GROUP` and `-GROUP` a
line, and ends with the process that writes it, whatever ended that. `?MARK` announces a process that is about to be
started with the mark in its environment, `!MARK` that its group is known. It leaves the tree of processes that it was
started in, so that it is nobody's child, and no signal to them reaches it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterable

VARIABLE = "IO_GLEITZEIT_START"  # one that begins with GLEITZEIT_ would be read as a key of the configuration
_GRACE = 0.3


def main() -> None:
    """Sink the names down until there is nobody left to tell them, and end what is still named."""
    if os.fork():
        os._exit(0)
    os.setsid()
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[str] = set()
    marks: set[str] = set()
    steps = {"+": groups.add, "-": groups.discard, "?": marks.add, "!": marks.discard}
    for line in sys.stdin:
        steps[line[0]](line[1:].strip())
    _end(groups, marks)


def _end(groups: Iterable[str], marks: set[str]) -> None:
    # They have seen the end of their stdin as well: who leaves by itself is given the time for it.
    time.sleep(_GRACE)
    named = {int(group) for group in groups} | _marked(marks)
    for ending in (signal.SIGTERM, signal.SIGKILL):
        named = {group for group in named if _told(group, ending)}
        if named and ending is signal.SIGTERM:
            time.sleep(_GRACE)


def _marked(marks: set[str]) -> set[int]:
    """The groups of processes that were announced, and of which nothing more was heard; only where there is a /proc."""
    wanted = {f"{VARIABLE}={mark}".encode() for mark in marks if mark}
    found: set[int] = set()
    for name in os.listdir("/proc") if wanted and os.path.isdir("/proc") else ():  # noqa: PTH112, PTH208 - a bare start
        if name.isdigit() and _holds(name, wanted):
            found.add(int(name))
    return found


def _holds(process: str, wanted: set[bytes]) -> bool:
    """Whether it leads its group and has one of the marks; what it has started itself is of its group."""
    try:
        with open(f"/proc/{process}/environ", "rb") as environment:  # noqa: PTH123 - a bare start
            marked = not wanted.isdisjoint(environment.read().split(b"\0"))
        return marked and os.getpgid(int(process)) == int(process)
    except OSError:
        return False


def _told(group: int, ending: signal.Signals) -> bool:
    try:
        os.killpg(group, ending)
    except ProcessLookupError:
        return False
    except PermissionError:  # as macOS says of a group that is dead but not buried
        return False
    return True


if __name__ == "__main__":
    main()
