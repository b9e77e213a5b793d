"""Which process this is, and which ones may still carry runs out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from uuid import uuid4

from gleitzeit.store.base import LEASE, Owner

MARGIN = 1 / 15
"""The part of a lease, at its end, on which its owner does not count: the clock was read before it was written."""

_PROC = Path("/proc")
_ENDED = "ZX"


def this_process() -> Owner:
    """This process as an owner of runs, under a new id."""
    pid = os.getpid()
    return Owner(uuid4().hex, boot_id(), pid, _process(pid))


def boot_id() -> str:
    """Which start of the machine this is; empty where the system does not tell."""
    if sys.platform == "darwin":
        return _session_of_darwin()
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return ""


def living(beats: Iterable[tuple[Owner, float]], here: Owner, uptime: float, lease: float = LEASE) -> frozenset[str]:
    """The processes, each with its last heartbeat, that may carry runs out now; `here` is always among them."""
    alive = (owner.id for owner, beat in beats if not _has_lapsed(beat, uptime, lease) and not _is_gone(owner, here))
    return frozenset([here.id, *alive])


def _is_gone(owner: Owner, here: Owner) -> bool:
    """Whether `owner` certainly does not run any more, as seen by the process `here`; in doubt it may.

    Whoever shares the data runs on this machine: from another start of it, nothing is left.
    """
    if not owner.boot or not here.boot:
        return False
    if owner.boot != here.boot:
        return True
    space, _, start = owner.process.partition("/")
    if not start or space != here.process.partition("/")[0]:
        return False
    state, now = _state_and_start(owner.pid)
    if not state:  # not to be seen may also mean not to be looked at
        return _is_absent(owner.pid)
    return state in _ENDED or now != start


def _has_lapsed(beat: float, uptime: float, lease: float) -> bool:
    """Whether a lease is over whose last heartbeat was at `beat`; one from the future is of an earlier start."""
    return abs(uptime - beat) >= lease


def _process(pid: int) -> str:
    """The space of process ids that this process sees, and when the process `pid` started in it."""
    if sys.platform != "linux":
        return ""
    try:
        space = (_PROC / "self/ns/pid").readlink().name
    except OSError:
        return ""
    _state, start = _state_and_start(pid)
    return f"{space}/{start}" if start else ""


def _state_and_start(pid: int) -> tuple[str, str]:
    try:
        text = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return "", ""
    fields = text.rpartition(")")[2].split()  # the command before it may hold anything
    return fields[0], fields[19]


def _is_absent(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError as error:
        return isinstance(error, ProcessLookupError)
    return False


def _session_of_darwin() -> str:
    import ctypes  # only where it is needed

    size = ctypes.c_size_t(64)
    text = ctypes.create_string_buffer(size.value)
    failed = ctypes.CDLL(None).sysctlbyname(b"kern.bootsessionuuid", text, ctypes.byref(size), None, 0)
    return "" if failed else text.value.decode("ascii")
