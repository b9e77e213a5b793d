"""Which system calls are left: an allow list, as a program that the kernel runs before each call.

What is not listed is refused. Three kinds need more than a name. Calls that reach other processes may name this one
alone. Calls that would wait for a file descriptor of the outside (`socket`, `connect`, `sendmsg`) do not exist, and the
one that is left, `sendto`, may name no address: a pair of datagram sockets could else write to any socket of the host.
Nor are there bytes out of band: nobody needs them, and the kernel's code for them has been a way out of sandboxes.
Calls that Landlock does not see (`chmod`, `utime`) do nothing where the files of the host are in view. Locks on parts
of files do nothing either: a process has nobody to lock out but itself, and the kernel's memory for them has no limit.
"""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from gleitzeit_python.worker.kernel import MACHINE, checked, libc
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

ITSELF: Final = 0x7FFFFFF0
"""Stands for the process that a filter will be installed in."""

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

_LOAD: Final = 0x20
_EQUAL: Final = 0x15
_AT_LEAST: Final = 0x35
_ANY_BIT: Final = 0x45
_RETURN: Final = 0x06

_ALLOW: Final = 0x7FFF0000
_KILL: Final = 0x80000000
_NUMBER: Final = 0
_ARCHITECTURE: Final = 4


class Instruction(NamedTuple):
    """One instruction of the kernel's packet filter."""

    code: int
    if_true: int
    if_false: int
    value: int


class _Filter(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_ushort),
        ("if_true", ctypes.c_ubyte),
        ("if_false", ctypes.c_ubyte),
        ("value", ctypes.c_uint),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filters", ctypes.POINTER(_Filter)))


def program(*, first: bool, sees_host_files: bool, truncates: bool, machine: str = MACHINE) -> list[Instruction]:
    """The filter of a process. `first`: it is the first of its namespace, where no signal of its own can kill it."""
    of = _Calls(numbers(machine))
    rules = [
        *_same_architecture(machine),
        *([] if truncates else [*of.emptied_by_writers("open", 1), *of.emptied_by_writers("openat", 2)]),
        *of.always([*PLAIN, *(["truncate"] if truncates else [])], _ALLOW),
        *of.always(MISSING, _error(errno.ENOSYS)),
        *of.always(UNSUPPORTED, _error(errno.EOPNOTSUPP)),
        *of.always(TOUCHING, _error(0) if sees_host_files else _ALLOW),
        *of.one_of("ioctl", {1: _TERMINAL_SIZE_AND_BLOCKING}),
        *of.pretended("fcntl", 1, _LOCKS),
        *of.one_of("fcntl", {1: _COPIES_AND_FLAGS}),
        *of.one_of("socketpair", {0: _UNIX, 1: _STREAMS}),
        *of.one_of("getsockopt", {1: _OF_SOCKETS, 2: _KINDS_AND_ERRORS}),
        *of.one_of("prctl", {0: _NAMES_ONLY}),
        *of.one_of("prlimit64", {0: (0,)}),
        *of.without_address(),
        *of.without("recvfrom", 3, _OUT_OF_BAND),
        *of.signal_to("kill", 1, fatal=first),
        *of.signal_to("tgkill", 2, fatal=first),
        *of.threads_only(),
    ]
    unknown = [Instruction(_AT_LEAST, 0, 1, _NEWEST), _return(_error(errno.ENOSYS))]
    return [*rules, *unknown, _return(_error(errno.EPERM))]


class Filter:
    """A program as the kernel takes it, made once for all workers of a fork server."""

    def __init__(self, instructions: list[Instruction]) -> None:
        self._filters = (_Filter * len(instructions))(*(_Filter(*instruction) for instruction in instructions))
        self._own = [place for place, instruction in enumerate(instructions) if instruction.value == ITSELF]

    def install(self, process: int) -> None:
        """Have the kernel run it before every call that this process makes from now on."""
        for place in self._own:
            self._filters[place].value = process
        wrapped = _Program(len(self._filters), self._filters)
        arguments = (ctypes.c_ulong(2), ctypes.byref(wrapped), ctypes.c_ulong(0), ctypes.c_ulong(0))
        checked(libc.prctl(ctypes.c_int(22), *arguments), "seccomp")


def _return(action: int) -> Instruction:
    return Instruction(_RETURN, 0, 0, action)


def _rows(numbers: Iterable[int]) -> list[tuple[int, int]]:
    """The first and the last of those that follow on one another."""
    rows: list[tuple[int, int]] = []
    for number in sorted(numbers):
        follows = bool(rows) and rows[-1][1] == number - 1
        rows.append((rows.pop()[0] if follows else number, number))
    return rows


def _between(first: int, last: int) -> list[Instruction]:
    """Go on with the next instruction for these numbers, and with the one after it for all others."""
    if first == last:
        return [Instruction(_EQUAL, 0, 1, first)]
    return [Instruction(_AT_LEAST, 0, 2, first), Instruction(_AT_LEAST, 1, 0, last + 1)]


def _error(number: int) -> int:
    return 0x00050000 | number


def _refuse() -> Instruction:
    return _return(_error(errno.EPERM))


def _load(offset: int) -> Instruction:
    return Instruction(_LOAD, 0, 0, offset)


def _argument(index: int, *, high: bool = False) -> Instruction:
    return _load(16 + 8 * index + (4 if high else 0))


def _same_architecture(machine: str) -> list[Instruction]:
    native = Instruction(_EQUAL, 1, 0, _ARCHITECTURES[machine])
    x32 = [Instruction(_AT_LEAST, 0, 1, _X32), _return(_KILL)] if machine == "x86_64" else []
    return [_load(_ARCHITECTURE), native, _return(_KILL), _load(_NUMBER), *x32]


class _Calls:
    """Rules for calls by their names, on a machine that has these numbers."""

    def __init__(self, known: Mapping[str, int]) -> None:
        self._known = known

    def always(self, names: Iterable[str], action: int) -> list[Instruction]:
        """The same for all of these calls, number by number in a row: the kernel tries a filter with each at once."""
        rows = _rows(self._known[name] for name in names if name in self._known)
        return [step for first, last in rows for step in (*_between(first, last), _return(action))]

    def one_of(self, name: str, allowed: Mapping[int, Iterable[int]]) -> list[Instruction]:
        """Allow a call whose arguments, by their index, have certain values."""
        body: list[Instruction] = []
        for index, values in allowed.items():
            choices = list(values)
            body.append(_argument(index))
            body += [Instruction(_EQUAL, len(choices) - place, 0, value) for place, value in enumerate(choices)]
            body.append(_refuse())
        return self._when(name, [*body, _return(_ALLOW)])

    def pretended(self, name: str, index: int, values: Iterable[int]) -> list[Instruction]:
        """Let a call whose argument has one of these values do nothing; the rules that follow have the others."""
        pairs = [(Instruction(_EQUAL, 0, 1, value), _return(_error(0))) for value in values]
        return self._when(name, [_argument(index), *(step for pair in pairs for step in pair), _load(_NUMBER)])

    def without_address(self) -> list[Instruction]:
        low = [_argument(4), Instruction(_EQUAL, 1, 0, 0), _refuse()]
        high = [_argument(4, high=True), Instruction(_EQUAL, 1, 0, 0), _refuse()]
        flags = [_argument(3), Instruction(_ANY_BIT, 0, 1, _OUT_OF_BAND), _refuse()]
        return self._when("sendto", [*low, *high, *flags, _return(_ALLOW)])

    def without(self, name: str, index: int, bits: int) -> list[Instruction]:
        """Allow a call whose argument has none of these bits."""
        return self._when(name, [_argument(index), Instruction(_ANY_BIT, 0, 1, bits), _refuse(), _return(_ALLOW)])

    def emptied_by_writers(self, name: str, index: int) -> list[Instruction]:
        """Refuse to empty a file by opening it in a way that an older Landlock does not take for writing."""
        body = [
            _argument(index),
            Instruction(_ANY_BIT, 0, 4, _TRUNCATING),
            Instruction(_ANY_BIT, 0, 1, _WRITING),
            Instruction(_ANY_BIT, 1, 2, _READING_AND_WRITING),  # both together are neither of them to Landlock
            Instruction(_ANY_BIT, 1, 0, _READING_AND_WRITING),
            _refuse(),
            _load(_NUMBER),
        ]
        return self._when(name, body)

    def signal_to(self, name: str, signal_index: int, *, fatal: bool) -> list[Instruction]:
        """Signals to this very process. Where it is the first of its namespace, the kernel would ignore a SIGKILL."""
        own = [_argument(0), Instruction(_EQUAL, 1, 0, ITSELF), _refuse()]
        kill = [_argument(signal_index), Instruction(_EQUAL, 0, 1, _SIGKILL), _return(_KILL)] if fatal else []
        return self._when(name, [*own, *kill, _return(_ALLOW)])

    def threads_only(self) -> list[Instruction]:
        no_namespace = [_argument(0), Instruction(_ANY_BIT, 0, 1, _NAMESPACES), _refuse()]
        return self._when("clone", [*no_namespace, Instruction(_ANY_BIT, 1, 0, _THREAD), _refuse(), _return(_ALLOW)])

    def _when(self, name: str, body: list[Instruction]) -> list[Instruction]:
        """Instructions for one call; each of their ways returns, or loads the number of the call again."""
        number = self._known.get(name)
        return [] if number is None else [Instruction(_EQUAL, 0, len(body), number), *body]
