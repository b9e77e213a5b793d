"""Opening a path that somebody has resolved and agreed to: where a part of it is a link by now, it leads elsewhere."""

from __future__ import annotations

import errno
import os
import stat
from typing import Final

_PLACE: Final = getattr(os, "O_PATH", os.O_RDONLY)
_FOLDER: Final = getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
_LAST: Final = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


def opened(path: str, flags: int = _PLACE, top: str = "/", mode: int = 0o644) -> int:
    """A descriptor of an absolute path below `top`, reached without a link. Raises `OSError` where there is one."""
    if os.open not in os.supports_dir_fd:
        return os.open(path, flags, mode)
    *folders, last = [part for part in path.split("/") if part] or ["."]
    folder = os.open(top, _PLACE | _FOLDER)
    try:
        for name in folders:
            inner = os.open(name, _PLACE | _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        descriptor = os.open(last, flags | _LAST, mode, dir_fd=folder)
    finally:
        os.close(folder)
    if stat.S_ISLNK(os.fstat(descriptor).st_mode):  # to name a place is also to name a link
        os.close(descriptor)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return descriptor
