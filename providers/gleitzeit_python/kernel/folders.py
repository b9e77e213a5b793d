"""`WorkFolders`: folders for jobs that have no disk of their own, and what dead servers have left of theirs."""

from __future__ import annotations

import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gleitzeit_python.worker.removal import remove

_PREFIX = "gleitzeit-job-"
_NAME = re.compile(_PREFIX + r"(\d+)-(\d+)-")
_FIELD_OF_START = 19


class WorkFolders:
    """Folders whose names say whose they are. A zygote makes and removes them; those of a dead one are left to us."""

    def __init__(self, place: Path | None = None) -> None:
        self._place = place or Path(tempfile.gettempdir())
        self._server = f"{_PREFIX}{os.getpid()}-{_started(os.getpid())}-"
        self._prefix = f"{self._server}{secrets.token_hex(4)}-"

    def name(self) -> str:
        """Where a new one can be made: by the zygote, which is still there if this process is killed."""
        return str(self._place / f"{self._prefix}{secrets.token_hex(8)}")

    def sweep(self, *, own: bool = False) -> None:
        """Remove what dead servers have left, and with `own` what is left of those made here."""
        for folder in self._left(own=own):
            remove(str(folder))

    def _left(self, *, own: bool) -> Iterator[Path]:
        for folder in self._place.glob(f"{_PREFIX}*"):
            match = _NAME.match(folder.name)
            if match is None or not _is_ours(folder):
                continue
            dead = not folder.name.startswith(self._server) and _started(int(match[1])) != match[2]
            if dead or (own and folder.name.startswith(self._prefix)):
                yield folder


def _is_ours(folder: Path) -> bool:
    """What others have put there under such a name they could change while it is removed."""
    try:
        facts = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(facts.st_mode) and facts.st_uid == os.geteuid()


def _started(pid: int) -> str:
    """When a process began, by the kernel's clock; nothing where there is none of that number."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[_FIELD_OF_START]
