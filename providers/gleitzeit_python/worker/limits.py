"""What one process may use, by the kernel's own count."""

from __future__ import annotations

import math
import os
import resource
from collections.abc import Mapping
from typing import Any, Final

THREAD_STACK: Final = 2 << 20
"""Small enough for dozens of threads in a job's addresses."""

_HEADROOM: Final = 16 << 20
_MOST_THREADS: Final = 64
_MOST_THREADS_OF_A_USER: Final = 4096
_MOST_DESCRIPTORS: Final = 64
_STANDING: Final = {
    "RLIMIT_CORE": 0,
    "RLIMIT_STACK": 8 << 20,
    "RLIMIT_MEMLOCK": 0,
    "RLIMIT_MSGQUEUE": 0,
    "RLIMIT_SIGPENDING": 64,
}


def addresses_in_use(processes: int) -> int:
    """How many bytes of addresses this process has taken before any code of a job, by a descriptor of /proc."""
    statistics = os.open("self/statm", os.O_RDONLY | os.O_CLOEXEC, dir_fd=processes)
    try:
        return int(os.read(statistics, 100).split()[0]) * resource.getpagesize()
    finally:
        os.close(statistics)


def hold_all() -> None:
    """Set what a fork server can do with itself, and its workers inherit."""
    for name, value in _STANDING.items():
        kind = getattr(resource, name, None)  # not every system counts everything
        if kind is not None:
            _lower(kind, value, value)


def hold(*, own_user_namespace: bool) -> None:
    """Set the rest of what does not depend on the job."""
    threads = _MOST_THREADS if own_user_namespace else _MOST_THREADS_OF_A_USER
    _lower(resource.RLIMIT_NPROC, threads, threads)
    _lower(resource.RLIMIT_NOFILE, _MOST_DESCRIPTORS, _MOST_DESCRIPTORS)


def apply(limits: Mapping[str, Any], taken: int) -> None:
    """Set what a job names: bytes of memory beside those `taken` before, seconds of CPU, bytes of one file."""
    if memory := limits.get("memory"):
        _lower(resource.RLIMIT_AS, taken + int(memory), taken + int(memory) + _HEADROOM)
    if seconds := limits.get("cpu"):
        _lower(resource.RLIMIT_CPU, math.ceil(seconds), math.ceil(seconds))
    if size := limits.get("file"):
        _lower(resource.RLIMIT_FSIZE, int(size), int(size))


def use_headroom() -> None:
    """Take what is held back, so that there is memory to tell that there was none."""
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _lower(kind: int, soft: int, hard: int) -> None:
    _, most = resource.getrlimit(kind)
    if most != resource.RLIM_INFINITY:
        soft, hard = min(soft, most), min(hard, most)
    resource.setrlimit(kind, (soft, hard))
