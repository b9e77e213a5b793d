"""Workflow documents on disk, inside of the folders that requests may reach."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

import anyio.to_thread

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ForbiddenError, LimitError, WorkflowNotFoundError

MAXIMUM_BYTES = 16 << 20


async def read_document(path: str | os.PathLike[str], roots: Sequence[Path]) -> bytes:
    """The content of a file inside of the roots; a relative path is one of the first root that has it.

    Raises `WorkflowNotFoundError` naming the nearest file, `ForbiddenError` outside of the roots, `LimitError` over
    16 MiB.
    """
    return await anyio.to_thread.run_sync(_read, Path(path), tuple(roots))


def _read(path: Path, roots: tuple[Path, ...]) -> bytes:
    file = _inside(path, roots)
    size = file.stat().st_size
    if size > MAXIMUM_BYTES:
        raise LimitError(f"{path}: {size} bytes, and a document has at most {MAXIMUM_BYTES}")
    try:
        return file.read_bytes()
    except OSError as error:
        raise WorkflowNotFoundError(f"{path} can't be read: {os.strerror(error.errno or 0)}") from error


def _inside(path: Path, roots: tuple[Path, ...]) -> Path:
    if "\0" in str(path):
        raise ForbiddenError("a path has no null characters in it")
    resolved = [((root / path).resolve(), root.resolve()) for root in roots]
    inside = [file for file, root in resolved if file.is_relative_to(root)]
    for file in inside:
        if file.is_file():
            return file
    if inside:
        raise _missing(path, inside)
    places = ", ".join(str(root) for root in roots) or "there are none"
    raise ForbiddenError(
        f'"{path}" is outside of the allowed folders ({places})',
        hint="put it into one of them, or add its folder to files.roots in the configuration",
    )


def _missing(path: Path, candidates: Sequence[Path]) -> WorkflowNotFoundError:
    if any(candidate.is_dir() for candidate in candidates):
        return WorkflowNotFoundError(f'"{path}" is a folder', hint="name a YAML or JSON file in it")
    names = {name for candidate in candidates for name in _names(candidate.parent)}
    folders = ", ".join(str(candidate.parent) for candidate in candidates)
    return WorkflowNotFoundError(
        f'there is no file "{path}" in {folders}',
        hint=did_you_mean(path.name, names) or "check the name, or submit the text of the workflow instead",
    )


def _names(folder: Path) -> list[str]:
    try:
        return [file.name for file in islice(folder.iterdir(), 1000)]
    except OSError:  # the folder is missing too, which the message says
        return []
