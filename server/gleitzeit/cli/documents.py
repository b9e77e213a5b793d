"""Workflow files as the command line reads them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gleitzeit.application.document_files import read_file, read_stream
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.errors import DocumentError

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
        return WorkflowFile("<stdin>", "workflow", read_stream(sys.stdin.buffer, "standard input"), Path.cwd())
    file = Path(path)
    return WorkflowFile(path, file.stem or "workflow", read_file(file), file.resolve().parent)
