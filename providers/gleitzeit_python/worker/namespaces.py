"""A root of its own: nothing of the host but what may be read, no network, no other process."""

from __future__ import annotations

import os
import struct
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from gleitzeit_python.worker import kernel
from gleitzeit_python.worker.options import SCRATCH, STAGED, WORK, Bind, Options
from gleitzeit_python.worker.paths import opened

NOBODY: Final = 65534
OLD: Final = "/.old"
BOX: Final = "/box"

_OF_EACH: Final = kernel.NEW_MOUNTS | kernel.NEW_NETWORK | kernel.NEW_IPC | kernel.NEW_HOST_NAME | kernel.NEW_CGROUP
_BIND: Final = 0x1000
_RECURSIVE: Final = 0x4000
_PRIVATE: Final = 0x40000
_NO_SETUID: Final = 0x2
_NO_DEVICES: Final = 0x4
_ATTRIBUTE_READ_ONLY: Final = 1
_ATTRIBUTE_NO_SETUID: Final = 2
_ATTRIBUTE_NO_DEVICES: Final = 4
_ATTRIBUTE_NO_PROGRAMS: Final = 8
_HERE: Final = -100
_WITH_ALL_BELOW: Final = 0x8000
_DEVICES: Final = ("null", "zero", "full", "random", "urandom")


def enter(options: Options, processes: int) -> None:
    """Give this process namespaces and a root of its own, and its next child a namespace of processes.

    `processes` is a descriptor of the host's /proc, by which a process maps its user: all that is left of the host.
    """
    root = os.geteuid() == 0 and _has_nobody(processes)
    # Links have to be followed while the root that they are meant for is still there.
    read_only = [bind if bind.given else Bind(os.path.realpath(bind.source), bind.target) for bind in options.read_only]
    if root:
        kernel.unshare(kernel.NEW_MOUNTS)
    else:
        _become_user(processes, _OF_EACH | kernel.NEW_PROCESSES)
    _change_root(read_only)
    if root:
        _give_root_up()
        _become_user(processes, _OF_EACH | kernel.NEW_PROCESSES)


def _has_nobody(processes: int) -> bool:
    """Whether root can become nobody: where it is root of a user namespace only, there may be no other user."""
    ranges = [line.split() for name in ("uid_map", "gid_map") for line in _read(processes, name).splitlines()]
    known = [start for start, _, count in ranges if int(start) <= NOBODY < int(start) + int(count)]
    return len(known) > 1 and _read(processes, "setgroups").strip() == "allow"


def _read(processes: int, name: str) -> str:
    descriptor = os.open(f"self/{name}", os.O_RDONLY | os.O_CLOEXEC, dir_fd=processes)
    try:
        return os.read(descriptor, 1 << 16).decode("ascii")
    finally:
        os.close(descriptor)


def separate(processes: int, options: Options) -> None:
    """Give a worker, the first process of its namespace, a user namespace and a disk of its own.

    The user namespace is where the kernel counts its threads apart from those of other workers.
    """
    _become_user(processes, kernel.NEW_MOUNTS)
    size = f"size={options.disk},nr_inodes={options.inodes},mode=755"
    kernel.mount("tmpfs", BOX, "tmpfs", _NO_SETUID | _NO_DEVICES, size)
    for name in (WORK, SCRATCH):
        os.mkdir(BOX + name, 0o700)  # noqa: PTH102 no pathlib where it must be quick
        kernel.mount(BOX + name, name, None, _BIND)
    kernel.detach(BOX)
    for bind in options.read_only:
        if bind.of_the_job:
            _bind(f"{STAGED}/{bind.name}", bind.target)


def _become_user(processes: int, kinds: int) -> None:
    """Enter a new user namespace, and others that belong to it, as the same user."""
    user, group = os.geteuid(), os.getegid()
    kernel.unshare(kernel.NEW_USER | kinds)
    for name, text in (("setgroups", "deny"), ("uid_map", f"{user} {user} 1"), ("gid_map", f"{group} {group} 1")):
        descriptor = os.open(f"self/{name}", os.O_WRONLY | os.O_CLOEXEC, dir_fd=processes)
        try:
            os.write(descriptor, text.encode())
        finally:
            os.close(descriptor)


def _give_root_up() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    # Else what /proc has of this process belongs to root, and it could not map its user.
    kernel.set_dumpable(True)


def _change_root(read_only: Iterable[Bind]) -> None:
    """Pivot first and bind from the old root: a new one mounted over a folder would hide what is below it."""
    kernel.mount(None, "/", None, _RECURSIVE | _PRIVATE)
    point = next(path for path in ("/tmp", "/mnt", "/var", "/usr") if Path(path).is_dir())  # noqa: S108 a mount point
    kernel.mount("tmpfs", point, "tmpfs", _NO_SETUID, "size=4m,mode=755")
    os.chdir(point)
    Path(OLD[1:]).mkdir()
    kernel.call("pivot_root", b".", OLD[1:].encode())
    os.chdir("/")
    with _usual_modes():
        _furnish(read_only)
    kernel.detach(OLD)
    Path(OLD).rmdir()
    _protect("/", _ATTRIBUTE_READ_ONLY | _ATTRIBUTE_NO_SETUID, 0)


@contextmanager
def _usual_modes() -> Generator[None]:
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def _furnish(read_only: Iterable[Bind]) -> None:
    for bind in read_only:
        target = f"{STAGED}/{bind.name}" if bind.of_the_job else bind.target
        if bind.given:
            _bind_given(bind.source, target)
        else:
            _bind(OLD + bind.source, target)
        _protect(target, _ATTRIBUTE_READ_ONLY | _ATTRIBUTE_NO_SETUID | _ATTRIBUTE_NO_DEVICES, _WITH_ALL_BELOW)
    for name in _DEVICES:
        _bind(f"{OLD}/dev/{name}", f"/dev/{name}")
        _protect(f"/dev/{name}", _ATTRIBUTE_NO_SETUID | _ATTRIBUTE_NO_PROGRAMS, 0)
    for folder in (WORK, SCRATCH, BOX, "/etc"):
        Path(folder).mkdir(exist_ok=True)
    Path("/etc/passwd").write_text(f"sandbox:x:{_user()}:{_user()}::{WORK}:/\n", encoding="ascii")
    Path("/etc/group").write_text(f"sandbox:x:{_user()}:\n", encoding="ascii")
    if not Path("/tmp").exists():  # noqa: S108 what code expects to be there
        Path("/tmp").symlink_to(SCRATCH)  # noqa: S108


def _user() -> int:
    return os.geteuid() or NOBODY


def _bind(source: str, target: str) -> None:
    place = Path(target)
    if Path(source).is_dir():
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    kernel.mount(source, target, None, _BIND | _RECURSIVE)


def _bind_given(source: str, target: str) -> None:
    descriptor = opened(source, top=OLD)
    try:
        _bind(f"{OLD}/proc/self/fd/{descriptor}", target)
    finally:
        os.close(descriptor)


def _protect(target: str, attributes: int, flags: int) -> None:
    """Set attributes of a mount; a remount would lose those that are locked."""
    wanted = struct.pack("QQQQ", attributes, 0, 0, 0)
    kernel.call("mount_setattr", _HERE, os.fsencode(target), flags, wanted, 32)
