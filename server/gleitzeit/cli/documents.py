"""Workflow files as the command line reads them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from gleitzeit.core.diagnostics import Diagnostic, nearest
from gleitzeit.core.errors import DocumentError, LimitError, WorkflowNotFoundError

_MOST_BYTES = 16 << 20

STDIN = "-"


@dataclass(frozen=True, slots=True)
class WorkflowFile:
    """The content of a workflow file; `folder` is where its relative paths are looked for first."""

    name: str
    stem: str
    content: bytes
    folder: Path

    @property
    def text(self) -> str | None:
        """The content as text, if it is text."""
        try:
            return self.content.decode("utf-8-sig")
        except UnicodeDecodeError:
            return None


class WorkflowFileError(DocumentError):
    """A workflow file with at least one error; it knows the file, so that the lines can be shown."""

    def __init__(self, file: WorkflowFile, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(diagnostics)
        self.file = file


def open_workflow(path: str) -> WorkflowFile:
    """Read a workflow file, or standard input for `-`.

    Raises `WorkflowNotFoundError` where there is no such file, and `LimitError` over 16 MiB.
    """
    if path == STDIN:
        return WorkflowFile("<stdin>", "workflow", _content("standard input", sys.stdin.buffer), Path.cwd())
    file = Path(path)
    if file.is_dir():
        raise WorkflowNotFoundError(f"{path} is a folder", hint=f"name a file in it: {_files_in(file)}")
    if not file.exists():
        raise WorkflowNotFoundError(f"there is no file {path}", hint=_suggestion(file))
    with file.open("rb") as stream:
        return WorkflowFile(path, file.stem or "workflow", _content(path, stream), file.resolve().parent)


def _content(name: str, stream: BinaryIO) -> bytes:
    content = stream.read(_MOST_BYTES + 1)
    if len(content) > _MOST_BYTES:
        raise LimitError(f"{name} is larger than 16 MiB", hint="pass large data as files, not within the workflow")
    return content


def _suggestion(file: Path) -> str:
    if not file.parent.is_dir():
        return f"there is no folder {file.parent} either; the current one is {Path.cwd()}"
    match = nearest(file.name, [entry.name for entry in file.parent.iterdir()])
    return f"did you mean {file.parent / match}?" if match else f"the current folder is {Path.cwd()}"


def _files_in(folder: Path) -> str:
    names = sorted(entry.name for entry in folder.iterdir() if entry.suffix in {".yaml", ".yml", ".json"})
    return ", ".join(names[:5]) or "it has no .yaml, .yml or .json file"
