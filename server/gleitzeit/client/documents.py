"""What a program passes as a workflow, told apart: a file, text, or data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread

from gleitzeit.client.session import Document
from gleitzeit.config import home_folder, usable_root
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import LimitError, WorkflowNotFoundError
from gleitzeit.core.models import Workflow

SUFFIXES = (".yaml", ".yml", ".json")
MAXIMUM_BYTES = 16 << 20

WorkflowSource = str | os.PathLike[str] | Mapping[str, Any] | Workflow


async def document_of(source: WorkflowSource) -> Document:
    """The document that `source` is or names; a file's own folder becomes one of its roots.

    Raises `WorkflowNotFoundError` naming the nearest file, and `LimitError` over 16 MiB.
    """
    if isinstance(source, (Mapping, Workflow)):
        return Document(source)
    if isinstance(source, str) and not _names_a_file(source):
        return Document(source)
    return await anyio.to_thread.run_sync(_from_file, Path(source))


def _names_a_file(text: str) -> bool:
    if "\n" in text or text.lstrip().startswith(("{", "[")):
        return False
    return text.lower().endswith(SUFFIXES) or (": " not in text and not text.rstrip().endswith(":"))


def _from_file(path: Path) -> Document:
    file = path.expanduser().absolute()
    try:
        if file.stat().st_size > MAXIMUM_BYTES:
            raise LimitError(f"{path}: a document has at most {MAXIMUM_BYTES} bytes")
        content = file.read_bytes()
    except OSError as error:
        raise _missing(path, file, error) from error
    root = usable_root(file.parent, home_folder())
    return Document(content, file.stem, (root,) if root is not None else ())


def _missing(path: Path, file: Path, error: OSError) -> WorkflowNotFoundError:
    if not isinstance(error, FileNotFoundError):
        return WorkflowNotFoundError(f"{path} can't be read: {os.strerror(error.errno or 0)}")
    names = [other.name for other in file.parent.glob("*") if other.suffix in SUFFIXES]
    hint = did_you_mean(file.name, names) or "check the path; text of a workflow has more than one line"
    return WorkflowNotFoundError(f'there is no file "{path}" (looked for {file})', hint=hint)
