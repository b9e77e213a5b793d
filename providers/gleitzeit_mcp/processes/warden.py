"""Ends the process groups of a Gleitzeit that was killed, and then itself.

Run as a script by a bare interpreter: `python -I -S warden.py`. Its stdin names the groups, `+GROUP` and `-GROUP` a
line, and ends with the process that writes it, whatever ended that. It leaves the tree of processes that it was started
in, so that it is nobody's child, and no signal to them reaches it.
"""

from __future__ import annotations

import os
import signal
import sys
import time

_GRACE = 0.3


def main() -> None:
    """Take the names down until there is nobody left to tell them, and end what is still named."""
    if os.fork():
        os._exit(0)
    os.setsid()
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin.buffer:
        group = int(line[1:])
        if line.startswith(b"+"):
            groups.add(group)
        else:
            groups.discard(group)
    # They have seen the end of their stdin as well: who leaves by itself is given the time for it.
    for ending in (signal.SIGTERM, signal.SIGKILL):
        if groups:
            time.sleep(_GRACE)
        groups = {group for group in groups if _told(group, ending)}


def _told(group: int, ending: signal.Signals) -> bool:
    try:
        os.killpg(group, ending)
    except ProcessLookupError:
        return False
    except PermissionError:  # as macOS says of a group that is dead but not buried
        return True
    return True


if __name__ == "__main__":
    main()
