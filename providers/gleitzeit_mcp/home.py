"""The folder of Gleitzeit's own files, and how a file gets there."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def home_folder() -> Path:
    """Where Gleitzeit keeps what belongs to this user: `GLEITZEIT_HOME`, else `~/.gleitzeit`."""
    named = os.environ.get("GLEITZEIT_HOME")
    return Path(named).expanduser().absolute() if named else Path.home() / ".gleitzeit"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file; at no moment is there half of it, or one that others can read, or a draft left behind."""
    handle, draft = tempfile.mkstemp(dir=path.parent, prefix=".")  # with mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
