"""Which system calls are left: an allow list, as a program that the kernel runs before each call.

What is not listed is refused. Three kinds need more than a name. Calls that reach other processes may name this one
alone. Calls that would wait for a file descriptor of the outside (`socket`, `connect`, `sendmsg`) do not exist, and the
one that is left, `sendto`, may name no address: a pair of datagram sockets could else write to any socket of the host.
Nor are there bytes out of band: nobody needs them, and the kernel's code for them has been a way out of sandboxes.
Calls that Landlock does not see (`chmod`, `utime`) do nothing where the files of the host are in view. Locks on parts
of files do nothing either: a process has nobody to lock out but itself, and the kernel's memory for them has no limit.
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Mapping
from typing import Final

from gleitzeit_python.worker.bpf import (
    ANY_BIT,
    AT_LEAST,
    EQUAL,
    ITSELF,
    Body,
    Instruction,
    answer,
    by_number,
    load,
)
from gleitzeit_python.worker.kernel import MACHINE
from gleitzeit_python.worker.numbers import numbers

PLAIN: Final = """
read write open close stat fstat lstat lseek pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 access
faccessat faccessat2 openat newfstatat statx dup dup2 dup3 pipe pipe2 sendfile copy_file_range flock fsync fdatasync
ftruncate fallocate fadvise64 getdents getdents64 getcwd chdir fchdir rename renameat renameat2 mkdir mkdirat rmdir
creat link linkat unlink unlinkat symlink symlinkat readlink readlinkat umask statfs fstatfs close_range
mmap mprotect munmap brk mremap msync madvise
poll ppoll select pselect6 pause nanosleep clock_nanosleep epoll_create epoll_create1 epoll_wait epoll_pwait
epoll_pwait2 epoll_ctl eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime futex futex_waitv sched_yield
restart_syscall gettimeofday time times clock_gettime clock_getres getitimer setitimer alarm timer_create timer_settime
timer_gettime timer_getoverrun timer_delete
shutdown getsockname getpeername
rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack
exit exit_group
wait4 waitid getpid getppid gettid getpgrp getpgid getsid getuid getgid geteuid getegid getgroups
getresuid getresgid getpriority getrlimit getrusage arch_prctl set_tid_address set_robust_list rseq membarrier getcpu
sched_getparam sched_getscheduler sched_get_priority_max sched_get_priority_min sched_getaffinity
uname sysinfo getrandom
""".split()
TOUCHING: Final = "chmod fchmod fchmodat fchmodat2 utime utimes futimesat utimensat".split()
MISSING: Final = "clone3 memfd_create io_uring_setup io_uring_enter io_uring_register openat2".split()
"""Calls that the C library does without when the kernel says that it has none of them."""

UNSUPPORTED: Final = """
setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr lremovexattr
fremovexattr
""".split()
"""Calls that whoever copies files does without when the file system says that it has none of them."""

_NEWEST: Final = 452
_ARCHITECTURES: Final = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7, "arm64": 0xC00000B7}
_X32: Final = 0x40000000
_TERMINAL_SIZE_AND_BLOCKING: Final = (0x541B, 0x5421, 0x5451, 0x5450, 0x5401, 0x5413)
_LOCKS: Final = (6, 7, 37, 38)
_COPIES_AND_FLAGS: Final = (0, 1, 2, 3, 4, 5, 36, 1030, 1032)
_UNIX: Final = (1,)
_STREAMS: Final = (1, 0x801, 0x80001, 0x80801)
_OF_SOCKETS: Final = (1,)
_KINDS_AND_ERRORS: Final = (3, 4, 7, 8, 30, 38, 39)
_NAMES_ONLY: Final = (15, 16, 0x53564D41)
_THREAD: Final = 0x00010000
_NAMESPACES: Final = 0x7E020000
_OUT_OF_BAND: Final = 1
_TRUNCATING: Final = 0o1000
_WRITING: Final = 1
_READING_AND_WRITING: Final = 2
_SIGKILL: Final = 9

_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4


def program(*, first: bool, sees_host_files: bool, truncates: bool, machine: str = MACHINE) -> list[Instruction]:
    """The filter of a process. `first`: it is the first of its namespace, where no signal of its own can kill it."""
    known = numbers(machine)
    bodies = {
        **_always(PLAIN, _ALLOW),
        **_always(["truncate"] if truncates else [], _ALLOW),
        **_always(MISSING, _error(errno.ENOSYS)),
        **_always(UNSUPPORTED, _error(errno.EOPNOTSUPP)),
        **_always(TOUCHING, _error(0) if sees_host_files else _ALLOW),
        **({} if truncates else {"open": _emptied_by_writers(1), "openat": _emptied_by_writers(2)}),
        "ioctl": _one_of({1: _TERMINAL_SIZE_AND_BLOCKING}),
        "fcntl": (*_pretended(1, _LOCKS), *_one_of({1: _COPIES_AND_FLAGS})),
        "socketpair": _one_of({0: _UNIX, 1: _STREAMS}),
        "getsockopt": _one_of({1: _OF_SOCKETS, 2: _KINDS_AND_ERRORS}),
        "prctl": _one_of({0: _NAMES_ONLY}),
        "prlimit64": _one_of({0: (0,)}),
        "sendto": _without_address(),
        "recvfrom": _without(3, _OUT_OF_BAND),
        "kill": _signal_to(1, fatal=first),
        "tgkill": _signal_to(2, fatal=first),
        "clone": _threads_only(),
    }
    others = {0: (_refuse(),), _NEWEST: (answer(_error(errno.ENOSYS)),)}
    numbered = {known[name]: body for name, body in bodies.items() if name in known}
    return [*_same_architecture(machine), *by_number(numbered, others)]


def _always(names: Iterable[str], action: int) -> dict[str, Body]:
    return dict.fromkeys(names, (answer(action),))


def _error(number: int) -> int:
    return 0x00050000 | number


def _refuse() -> Instruction:
    return answer(_error(errno.EPERM))


def _argument(index: int, *, high: bool = False) -> Instruction:
    return load(16 + 8 * index + (4 if high else 0))


def _same_architecture(machine: str) -> list[Instruction]:
    native = Instruction(EQUAL, 1, 0, _ARCHITECTURES[machine])
    x32 = [Instruction(AT_LEAST, 0, 1, _X32), answer(_KILL)] if machine == "x86_64" else []
    return [load(_ARCHITECTURE), native, answer(_KILL), load(_NUMBER), *x32]


def _one_of(allowed: Mapping[int, Iterable[int]]) -> Body:
    """Allow a call whose arguments, by their index, have certain values."""
    body: list[Instruction] = []
    for index, values in allowed.items():
        choices = list(values)
        body.append(_argument(index))
        body += [Instruction(EQUAL, len(choices) - place, 0, value) for place, value in enumerate(choices)]
        body.append(_refuse())
    return (*body, answer(_ALLOW))


def _pretended(index: int, values: Iterable[int]) -> list[Instruction]:
    """Let a call whose argument has one of these values do nothing; what follows has the others."""
    pairs = [(Instruction(EQUAL, 0, 1, value), answer(_error(0))) for value in values]
    return [_argument(index), *(step for pair in pairs for step in pair)]


def _without_address() -> Body:
    low = [_argument(4), Instruction(EQUAL, 1, 0, 0), _refuse()]
    high = [_argument(4, high=True), Instruction(EQUAL, 1, 0, 0), _refuse()]
    return (*low, *high, *_without(3, _OUT_OF_BAND))


def _without(index: int, bits: int) -> Body:
    """Allow a call whose argument has none of these bits."""
    return (_argument(index), Instruction(ANY_BIT, 0, 1, bits), _refuse(), answer(_ALLOW))


def _emptied_by_writers(index: int) -> Body:
    """Refuse to empty a file by opening it in a way that an older Landlock does not take for writing."""
    return (
        _argument(index),
        Instruction(ANY_BIT, 0, 4, _TRUNCATING),
        Instruction(ANY_BIT, 0, 1, _WRITING),
        Instruction(ANY_BIT, 1, 2, _READING_AND_WRITING),  # both together are neither of them to Landlock
        Instruction(ANY_BIT, 1, 0, _READING_AND_WRITING),
        _refuse(),
        answer(_ALLOW),
    )


def _signal_to(signal_index: int, *, fatal: bool) -> Body:
    """Signals to this very process. Where it is the first of its namespace, the kernel would ignore a SIGKILL."""
    own = [_argument(0), Instruction(EQUAL, 1, 0, ITSELF), _refuse()]
    kill = [_argument(signal_index), Instruction(EQUAL, 0, 1, _SIGKILL), answer(_KILL)] if fatal else []
    return (*own, *kill, answer(_ALLOW))


def _threads_only() -> Body:
    no_namespace = [_argument(0), Instruction(ANY_BIT, 0, 1, _NAMESPACES), _refuse()]
    return (*no_namespace, Instruction(ANY_BIT, 1, 0, _THREAD), _refuse(), answer(_ALLOW))
