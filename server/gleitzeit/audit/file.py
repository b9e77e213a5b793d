"""`AuditFile`: a file that lines are only ever added to, by any number of processes at once."""

from __future__ import annotations

import errno
import os
import stat
import time
from pathlib import Path

from gleitzeit.core.errors import ConfigurationError

_HINT = "name a file in server.audit that only this user can write, in a folder of its own, or remove the key"

# Not through a link, which could lead anywhere; and without waiting for whoever reads a pipe.
_FLAGS = (
    os.O_RDWR
    | os.O_APPEND
    | os.O_CREAT
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_NOCTTY", 0)
)
_LOOKS = 5
_BETWEEN_LOOKS = 0.01
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH

_WORDS = {
    errno.ELOOP: "it is a symbolic link",
    errno.EISDIR: "it is a folder",
    errno.ENXIO: "it is not a plain file",
}


class AuditFile:
    """One line is one write at the end of the file, which the system keeps whole; a file that was moved is made anew.

    `where` is what the configuration calls it.
    """

    def __init__(self, path: Path, where: str = "server.audit") -> None:
        self._path = path
        self._where = where
        self._descriptor = -1
        self._identity = (0, 0)
        self._torn = False

    def open(self) -> None:
        """Have it ready, made if it is missing. Raises `ConfigurationError` for a file that is not safe or no file."""
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._open()
        except OSError as error:
            raise self._refusal(_WORDS.get(error.errno or 0) or os.strerror(error.errno or 0)) from error

    def append(self, line: bytes) -> None:
        """Write one line. Raises `OSError`, and `ConfigurationError` where what lies there now is not safe."""
        if self._moved():
            self.close()
            self._open()
        if self._torn:  # by a write that the disk had no room for, or by a process that was killed
            line = b"\n" + line
        rest = memoryview(line)
        while rest:
            written = os.write(self._descriptor, rest)
            self._torn = written < len(rest)
            rest = rest[written:]

    def close(self) -> None:
        """Let the file go."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self) -> None:
        descriptor = os.open(self._path, _FLAGS, 0o600)
        try:
            found = os.fstat(descriptor)
            self._check(found)
            self._torn = _is_torn(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor, self._identity = descriptor, (found.st_dev, found.st_ino)

    def _check(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise self._refusal("it is not a plain file")
        if found.st_mode & _OTHERS_WRITE:
            raise self._refusal("other users may write to it")
        if found.st_uid not in (os.geteuid(), 0):
            raise self._refusal("it belongs to another user")

    def _moved(self) -> bool:
        if self._descriptor < 0:
            return True
        try:
            found = os.lstat(self._path)
        except FileNotFoundError:
            return True
        return (found.st_dev, found.st_ino) != self._identity

    def _refusal(self, why: str) -> ConfigurationError:
        return ConfigurationError(f"{self._where}: {self._path} can't be an audit log: {why}", hint=_HINT)


def _is_torn(descriptor: int) -> bool:
    """Whether the last line has no end, and gets none: another process may be in the middle of writing it."""
    size = 0
    for _ in range(_LOOKS):
        before, size = size, os.fstat(descriptor).st_size
        if size == 0 or os.pread(descriptor, 1, size - 1) == b"\n":
            return False
        if size == before:
            return True
        time.sleep(_BETWEEN_LOOKS)
    return False
