"""What a program passes as a workflow, told apart: a file, text, or data."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio.to_thread

from gleitzeit.application.document_files import SUFFIXES, read_file
from gleitzeit.client.session import Document
from gleitzeit.config import home_folder, usable_root
from gleitzeit.core.models import Workflow

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
    file = path.expanduser()
    content = read_file(file)
    root = usable_root(file.absolute().parent, home_folder())
    return Document(content, file.stem, (root,) if root is not None else ())
