"""Workflow documents on disk: any file that a person names, or one inside of the folders that requests may reach."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import anyio.to_thread

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import LimitError, NotFoundError, WorkflowNotFoundError
from gleitzeit.core.reading.source_text import MAX_BYTES
from gleitzeit.providers.files import file_in

SUFFIXES = (".yaml", ".yml", ".json")


async def read_document(path: str | os.PathLike[str], roots: Sequence[Path]) -> bytes:
    """The content of a file inside of the roots; a relative path is one of the first root that has it.

    Raises `WorkflowNotFoundError` naming the nearest file, `ForbiddenError` outside of the roots, `LimitError` over
    16 MiB.
    """
    return await anyio.to_thread.run_sync(_read_inside, Path(path), tuple(roots))


def read_file(path: Path) -> bytes:
    """The content of a file, wherever it is. Raises `WorkflowNotFoundError` naming the nearest, and `LimitError`."""
    try:
        with path.open("rb") as stream:
            return read_stream(stream, str(path))
    except IsADirectoryError:
        raise WorkflowNotFoundError(f"{path} is a folder", hint=f"name a file in it: {_files_in(path)}") from None
    except FileNotFoundError:
        raise WorkflowNotFoundError(f"there is no file {path}", hint=_suggestion(path)) from None
    except (OSError, ValueError) as error:  # a null character is a ValueError
        words = (getattr(error, "strerror", None) or str(error)).lower()
        raise WorkflowNotFoundError(f"{path} can't be read: {words}") from error


def read_stream(stream: BinaryIO, name: str) -> bytes:
    """What is left in a stream. Raises `LimitError` where that is more than a document may have."""
    content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise LimitError(
            f"{name} is too large: a document has at most {MAX_BYTES >> 20} MiB",
            hint="pass large data as files, not within the workflow",
        )
    return content


def _read_inside(path: Path, roots: tuple[Path, ...]) -> bytes:
    try:
        file = file_in(roots, path)
    except NotFoundError as error:
        hint = error.hint or "check the name, or submit the text of the workflow instead"
        raise WorkflowNotFoundError(error.message, hint=hint) from None
    return read_file(file)


def _suggestion(path: Path) -> str:
    folder = path.absolute().parent
    if not folder.is_dir():
        return f"there is no folder {path.parent} either; the current one is {Path.cwd()}"
    names = [file.name for file in folder.iterdir()]
    return did_you_mean(path.name, names) or f"it was looked for in {folder}"


def _files_in(folder: Path) -> str:
    names = sorted(file.name for file in folder.iterdir() if file.suffix in SUFFIXES)
    return ", ".join(names[:5]) or "it has no .yaml, .yml or .json file"
