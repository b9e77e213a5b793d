"""Removing a folder that somebody wanted to last: however deep it is, and whatever its permissions are."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator
from typing import Final

_OPENING: Final = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0) | getattr(os, "O_NOFOLLOW", 0)
_OWN: Final = 0o700


def remove(folder: str) -> None:
    """Remove a folder and all that is in it, and follow no link; what cannot be removed stays.

    Folders in folders are moved to the top, level by level: neither the stack nor the longest path is a bound then.
    """
    with contextlib.suppress(OSError):
        top = os.open(folder, _OPENING)
        try:
            _clear(top)
        finally:
            os.close(top)
        os.rmdir(folder)  # noqa: PTH106 no pathlib for what is needed once


def _clear(top: int) -> None:
    kept: set[str] = set()
    prefix = f".{os.urandom(16).hex()}"
    fresh = (f"{prefix}{number}" for number in itertools.count())
    while names := [name for name in os.listdir(top) if name not in kept]:
        for name in names:
            try:
                _remove(top, name, fresh)
            except OSError:
                kept.add(name)


def _remove(top: int, name: str, fresh: Iterator[str]) -> None:
    if _unlinked(top, name):
        return
    inner = os.open(name, _OPENING, dir_fd=top)
    try:
        for child in os.listdir(inner):  # noqa: PTH208 as above
            if not _unlinked(inner, child):
                os.rename(child, next(fresh), src_dir_fd=inner, dst_dir_fd=top)
    finally:
        os.close(inner)
    os.rmdir(name, dir_fd=top)


def _unlinked(folder: int, name: str) -> bool:
    """Whether that was no folder, and is gone; a folder is opened up instead."""
    try:
        os.unlink(name, dir_fd=folder)
    except OSError:
        os.chmod(name, _OWN, dir_fd=folder)
        return False
    return True
