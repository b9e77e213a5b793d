"""The kernel itself: what a job has no use for is not there."""

from __future__ import annotations

from tests.security.cases.case import Case

CASES = [
    Case(
        "calls that only holes need are refused",
        """
import ctypes, errno, platform
library = ctypes.CDLL(None, use_errno=True)
buffer = ctypes.create_string_buffer(4096)
common = {  # x86_64, aarch64
    "io_uring_setup": (425, 425), "userfaultfd": (323, 282), "bpf": (321, 280), "perf_event_open": (298, 241),
    "keyctl": (250, 219), "add_key": (248, 217), "mount": (165, 40), "umount2": (166, 39), "unshare": (272, 97),
    "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41), "open_tree": (428, 428), "fsopen": (430, 430),
    "open_by_handle_at": (304, 265), "ptrace": (101, 117), "kexec_load": (246, 104), "init_module": (175, 105),
    "seccomp": (317, 277), "memfd_secret": (447, 447), "pidfd_open": (434, 434), "pidfd_getfd": (438, 438),
    "personality": (135, 92), "setuid": (105, 146), "swapon": (167, 224), "reboot": (169, 142), "syslog": (103, 116),
    "sethostname": (170, 161), "quotactl": (179, 60), "kcmp": (312, 272), "vmsplice": (278, 75), "acct": (163, 89),
    "setpriority": (141, 140), "sched_setaffinity": (203, 122), "inotify_init1": (294, 26), "fanotify_init": (300, 262),
    "move_pages": (279, 239), "execve": (59, 221), "execveat": (322, 281), "setrlimit": (160, 164),
    "clone3": (435, 435),
}
column = 0 if platform.machine() == "x86_64" else 1
for name, numbers in common.items():
    ctypes.set_errno(0)
    result = library.syscall(ctypes.c_long(numbers[column]), buffer, buffer, buffer, buffer, buffer)
    if result >= 0 or ctypes.get_errno() not in (errno.EPERM, errno.ENOSYS): print("ESCAPED", name, ctypes.get_errno())
""",
    ),
    Case(
        "terminals are not typed into",
        """
import fcntl
for descriptor in range(4):
    for request in (0x5412, 0x541C, 0x540E, 0x8901, 0x8902, 0x5452):
        try: fcntl.ioctl(descriptor, request, b"x\\0\\0\\0")
        except OSError: continue
        print("ESCAPED", hex(request))
""",
    ),
    Case(
        "there are no privileges to take back",
        """
import os
for attempt in (lambda: os.setuid(0), lambda: os.setresuid(0, 0, 0), lambda: os.setgroups([0]), lambda: os.setgid(0)):
    try: attempt()
    except OSError: continue
    print("ESCAPED")
""",
    ),
]
