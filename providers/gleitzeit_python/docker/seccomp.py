"""The seccomp profile of our containers: less than Docker allows by default, and the same whatever the daemon's age.

Without: other architectures (i386, x32), io_uring, tracing and reading of other processes, keys, user namespaces,
queues and shared memory by number, and sockets of any family but those that programs use among themselves.
"""

from __future__ import annotations

import json
from typing import Any, Final

_FILES: Final = """
access chdir chmod chown close close_range copy_file_range creat dup dup2 dup3 faccessat faccessat2 fadvise64 fallocate
fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync fgetxattr flistxattr flock fremovexattr fsetxattr fstat
fstatfs fsync ftruncate futimesat getcwd getdents getdents64 getxattr inotify_add_watch inotify_init inotify_init1
inotify_rm_watch ioctl lchown lgetxattr link linkat listxattr llistxattr lremovexattr lseek lsetxattr lstat mkdir
mkdirat mknod mknodat newfstatat open openat openat2 pipe pipe2 pread64 preadv preadv2 pwrite64 pwritev pwritev2 read
readahead readlink readlinkat readv removexattr rename renameat renameat2 rmdir sendfile setxattr splice stat statfs
statx symlink symlinkat sync sync_file_range syncfs tee truncate umask unlink unlinkat utime utimensat utimes
write writev
"""
_MEMORY: Final = """
brk madvise membarrier memfd_create mincore mlock mlock2 mlockall mmap mprotect mremap msync munlock munlockall munmap
pkey_alloc pkey_free pkey_mprotect remap_file_pages mseal map_shadow_stack get_mempolicy
"""
_PROCESSES: Final = """
arch_prctl capget execve execveat exit exit_group fork vfork futex futex_waitv futex_wait futex_wake futex_requeue
get_robust_list get_thread_area getcpu getegid geteuid getgid getgroups getpgid getpgrp getpid getppid getpriority
getresgid getresuid getrlimit getrusage getsid gettid getuid kill pidfd_open pidfd_send_signal prctl prlimit64 rseq
sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler
sched_rr_get_interval sched_setaffinity sched_yield seccomp set_robust_list set_thread_area set_tid_address setfsgid
setfsuid setgid setgroups setpgid setpriority setregid setresgid setresuid setreuid setrlimit setsid setuid sysinfo
tgkill times tkill uname wait4 waitid landlock_add_rule landlock_create_ruleset landlock_restrict_self ioprio_get
getrandom capset restart_syscall
"""
_TIME_AND_SIGNALS: Final = """
alarm clock_getres clock_gettime clock_nanosleep getitimer gettimeofday nanosleep pause rt_sigaction rt_sigpending
rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend rt_sigtimedwait rt_tgsigqueueinfo setitimer sigaltstack
signalfd signalfd4 time timer_create timer_delete timer_getoverrun timer_gettime timer_settime timerfd_create
timerfd_gettime timerfd_settime
"""
_WAITING_AND_TALKING: Final = """
accept accept4 bind connect epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2
getpeername getsockname getsockopt listen poll ppoll pselect6 recvfrom recvmmsg recvmsg select sendmmsg sendmsg sendto
setsockopt shutdown
"""

_NEW_NAMESPACES: Final = 0x7E020000
_SOCKET_FAMILIES: Final = (1, 2, 10, 16)
"""Unix, IPv4, IPv6 and netlink, by which programs learn that there is no network."""
_PERSONALITIES: Final = (0, 8, 0x20000, 0x20008, 0xFFFFFFFF)
_NO_SUCH_CALL: Final = 38
_NOT_PERMITTED: Final = 1


def profile() -> str:
    """The profile as the daemon takes it."""
    names = f"{_FILES} {_MEMORY} {_PROCESSES} {_TIME_AND_SIGNALS} {_WAITING_AND_TALKING}".split()
    rules: list[dict[str, Any]] = [
        {"names": sorted(names), "action": "SCMP_ACT_ALLOW"},
        *(_when(name, 0, family) for family in _SOCKET_FAMILIES for name in ("socket", "socketpair")),
        *(_when("personality", 0, value) for value in _PERSONALITIES),
        {
            "names": ["clone"],
            "action": "SCMP_ACT_ALLOW",
            "args": [{"index": 0, "value": _NEW_NAMESPACES, "valueTwo": 0, "op": "SCMP_CMP_MASKED_EQ"}],
        },
        {"names": ["clone3", "io_uring_setup"], "action": "SCMP_ACT_ERRNO", "errnoRet": _NO_SUCH_CALL},
    ]
    # Without a map of architectures only the daemon's own is let in.
    return json.dumps({"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": _NOT_PERMITTED, "syscalls": rules})


def _when(name: str, index: int, value: int) -> dict[str, Any]:
    equal = {"index": index, "value": value, "op": "SCMP_CMP_EQ"}
    return {"names": [name], "action": "SCMP_ACT_ALLOW", "args": [equal]}
