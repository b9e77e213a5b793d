"""The kernel's calls that the standard library does not have, by way of the C library."""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from typing import Final

from gleitzeit_python.worker.numbers import numbers

MACHINE: Final = platform.machine()
NUMBERS: Final = numbers(MACHINE)

NEW_MOUNTS: Final = 0x00020000
NEW_CGROUP: Final = 0x02000000
NEW_HOST_NAME: Final = 0x04000000
NEW_IPC: Final = 0x08000000
NEW_USER: Final = 0x10000000
NEW_PROCESSES: Final = 0x20000000
NEW_NETWORK: Final = 0x40000000

_SET_PARENT_DEATH_SIGNAL: Final = 1
_SET_DUMPABLE: Final = 4
_SET_NO_NEW_PRIVILEGES: Final = 38
_CAPABILITIES_OF_ITSELF: Final = struct.pack("=Ii", 0x20080522, 0)
_NO_CAPABILITIES: Final = bytes(24)
_MOST_ARENAS: Final = -8
_KILL: Final = 9

libc: Final = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long


def checked(result: int, what: str) -> int:
    """The result of a call, or the error that it has left."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def attempt(name: str, *arguments: int | bytes | None) -> int:
    """Make a system call that writes to none of its arguments; a negative result has left its error in `errno`."""
    widened = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return int(libc.syscall(ctypes.c_long(NUMBERS[name]), *widened))


def call(name: str, *arguments: int | bytes | None) -> int:
    """Make a system call that has to succeed."""
    return checked(attempt(name, *arguments), name)


def unshare(kinds: int) -> None:
    """Leave the namespaces of these kinds for new ones."""
    checked(libc.unshare(ctypes.c_int(kinds)), "unshare")


def set_namespace(descriptor: int, kind: int) -> None:
    """Enter the namespace of this kind that the process behind a descriptor is in."""
    checked(libc.setns(ctypes.c_int(descriptor), ctypes.c_int(kind)), "setns")


def mount(source: str | None, target: str, kind: str | None, flags: int, data: str | None = None) -> None:
    """Mount a file system, or bind one."""
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind, data)]
    outcome = libc.mount(texts[0], texts[1], texts[2], ctypes.c_ulong(flags), texts[3])
    checked(outcome, f"mount {target}")


def detach(target: str) -> None:
    """Take a mount out of sight; it ends with its last user."""
    checked(libc.umount2(os.fsencode(target), ctypes.c_int(2)), f"umount {target}")


def set_host_name(name: str) -> None:
    """Give the machine another name, in this namespace."""
    checked(libc.sethostname(name.encode(), ctypes.c_size_t(len(name))), "sethostname")


def die_with_parent() -> None:
    """Be killed when the thread that has started this process ends."""
    _control(_SET_PARENT_DEATH_SIGNAL, _KILL)


def set_dumpable(dumpable: bool) -> None:
    """Say whether others of the same user may look into this process."""
    _control(_SET_DUMPABLE, int(dumpable))


def forbid_new_privileges() -> None:
    """Give up for good what an exec could bring; Landlock and seccomp ask for it."""
    _control(_SET_NO_NEW_PRIVILEGES, 1)


def drop_capabilities() -> None:
    """Give up every capability; without new privileges, none comes back."""
    call("capset", _CAPABILITIES_OF_ITSELF, _NO_CAPABILITIES)


def use_one_arena() -> None:
    """Keep threads from reserving 64 MiB of addresses each, which their limit would count."""
    change = getattr(libc, "mallopt", None)
    if change is not None:
        change(ctypes.c_int(_MOST_ARENAS), ctypes.c_int(1))


def _control(operation: int, value: int) -> None:
    arguments = [ctypes.c_ulong(number) for number in (value, 0, 0, 0)]
    checked(libc.prctl(ctypes.c_int(operation), *arguments), f"prctl {operation}")
