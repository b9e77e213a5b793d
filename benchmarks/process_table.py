"""What a process costs as the kernel counts it, seen from outside; needs Linux."""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

PROC = Path("/proc")
_SCHEDULED = 2


def is_there() -> bool:
    """Whether this system tells."""
    return sys.platform == "linux" and (PROC / "self" / "stat").exists()


def cpu(process: int) -> float:
    """Seconds of CPU of all its threads, user and system, without its children."""
    # As clock_getcpuclockid(3) makes it: nanoseconds, where the ticks of `stat` are 10 ms; ended threads count too.
    return time.clock_gettime(~process << 3 | _SCHEDULED)


def cpu_with_children() -> float:
    """Seconds of CPU of this process and of its children that have ended, user and system."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def resident(process: int) -> float:
    """Megabytes of memory that it has."""
    pages = (PROC / str(process) / "statm").read_text(encoding="ascii").split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20


def descendants(process: int) -> Sequence[int]:
    """Its children, their children, and so on."""
    parents = dict(_parents())
    found = [process]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return found[1:]


def command(process: int) -> Sequence[str]:
    """What it was started with; nothing where it has just ended."""
    try:
        line = (PROC / str(process) / "cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return line.decode(errors="replace").split("\0")[:-1]


def _parents() -> Iterator[tuple[int, int]]:
    for entry in PROC.iterdir():
        if entry.name.isdecimal():
            try:
                yield int(entry.name), int(_fields(int(entry.name))[1])
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while the others were looked at


def _fields(process: int) -> Sequence[str]:
    # The name of the program comes before, in brackets, and may hold anything.
    return (PROC / str(process) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
