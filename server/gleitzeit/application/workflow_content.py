"""The content of a workflow file in a directory, for as long as it is really in there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gleitzeit.core.errors import ForbiddenError, LimitError, NotFoundError

LARGEST = 1 << 20
"""The most bytes that a file in a directory of workflows may have."""

# Neither a pipe nor a link that somebody has put there meanwhile may be followed or waited for.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def content_of(folder: Path, path: Path) -> bytes:
    """What a file says.

    Raises `ForbiddenError` where it is a link that leads out of the folder, `NotFoundError` where it can't be read,
    and `LimitError` over 1 MiB.
    """
    try:
        target = path.resolve(strict=True)
        if not target.is_relative_to(folder.resolve()):
            raise ForbiddenError("it is a link that leads out of its folder", hint="put the file itself there")
        content = _read(target)
    except (OSError, RuntimeError) as error:  # links in a circle are a RuntimeError
        reason = getattr(error, "strerror", None) or str(error)
        raise NotFoundError(f"it can't be read: {reason.lower()}", hint="check its permissions") from error
    if len(content) > LARGEST:
        raise LimitError(
            f"it is too large: a workflow file has at most {LARGEST >> 20} MiB", hint="pass large data as files"
        )
    return content


def _read(target: Path) -> bytes:
    descriptor = os.open(target, _FLAGS)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise NotFoundError("it is not a regular file", hint="put a file with a workflow there")
        with os.fdopen(descriptor, "rb", closefd=False) as stream:
            return stream.read(LARGEST + 1)
    finally:
        os.close(descriptor)
