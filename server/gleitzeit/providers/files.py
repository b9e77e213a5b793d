"""Files that requests name, inside of the folders that they may reach."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ForbiddenError, NotFoundError

_SHOWN = 100
_ELSEWHERE = "put it there, or add the folder that it is in to files.roots in the configuration"


def file_in(roots: Sequence[Path], name: str | os.PathLike[str]) -> Path:
    """The file inside of the roots that `name` means; a relative one is in the first root that has it.

    Raises `NotFoundError` naming the nearest file, and `ForbiddenError` where it would lie outside of all roots.
    """
    candidates = _candidates(roots, name)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise _missing(name, candidates)


def folder_in(roots: Sequence[Path], name: str | os.PathLike[str]) -> Path:
    """The folder inside of the roots that `name` means; it may be a root itself.

    Raises `NotFoundError` where there is none, and `ForbiddenError` where it would lie outside of all roots.
    """
    candidates = _candidates(roots, name)
    for candidate in candidates:
        if candidate.is_dir():
            return candidate
    if any(candidate.exists() for candidate in candidates):
        raise NotFoundError(f'"{name}" is not a folder', hint="name the folder that it is in")
    folders = ", ".join(str(candidate.parent) for candidate in candidates)
    raise NotFoundError(f'there is no folder "{name}" in {folders}', hint=_ELSEWHERE)


def _candidates(roots: Sequence[Path], name: str | os.PathLike[str]) -> list[Path]:
    candidates = [place for root in roots if (place := _inside(root, name)) is not None]
    if not candidates:
        places = ", ".join(str(root) for root in roots) or "there are none"
        raise ForbiddenError(
            f'"{name}" is outside of the allowed folders ({places})',
            hint="put it into one of them, or add its folder to files.roots in the configuration",
        )
    return candidates


def _inside(root: Path, name: str | os.PathLike[str]) -> Path | None:
    if "\0" in str(name):
        raise ForbiddenError("a path has no null characters in it")
    try:
        place = (root / name).resolve()
        place.is_file()
    except (OSError, RuntimeError, ValueError) as error:  # links in a circle, a name that is too long or no text
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "it leads in a circle"
        shown = repr(str(name)[:_SHOWN])
        raise NotFoundError(f"there is no file {shown}: {reason}", hint="name a file inside of the roots") from error
    return place if place.is_relative_to(root.resolve()) else None


def _missing(name: str | os.PathLike[str], candidates: Sequence[Path]) -> NotFoundError:
    if any(candidate.is_dir() for candidate in candidates):
        return NotFoundError(f'"{name}" is a folder', hint="name a file in it")
    if any(candidate.exists() for candidate in candidates):
        return NotFoundError(f'"{name}" is not a regular file', hint="name a file with text or data")
    near = {file for candidate in candidates for file in _names(candidate.parent)}
    folders = ", ".join(str(candidate.parent) for candidate in candidates)
    hint = did_you_mean(Path(name).name, near) or _ELSEWHERE
    return NotFoundError(f'there is no file "{name}" in {folders}', hint=hint)


def _names(folder: Path) -> list[str]:
    try:
        return [file.name for file in islice(folder.iterdir(), 1000)]
    except OSError:  # the folder is missing too, which the message says
        return []
