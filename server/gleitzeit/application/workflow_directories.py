"""Saved workflows that are files: every caller's, read only, and as fresh as the files are."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import anyio.to_thread

from gleitzeit.application.document_files import SUFFIXES
from gleitzeit.application.saved_names import UNNAMED, check_name
from gleitzeit.application.workflow_content import content_of
from gleitzeit.core.check import check
from gleitzeit.core.diagnostics import Diagnostic
from gleitzeit.core.document import read
from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.models import Workflow
from gleitzeit.store.base import SavedWorkflow

logger = logging.getLogger(__name__)

MOST_FILES = 1_000
"""How many files the directories may have together; the rest is left out."""

_UNSETTLED = 0.1
_ANYBODY = ""

_Stamp = tuple[object, ...]
_Kept = tuple[_Stamp, "FiledWorkflow"]


@dataclass(frozen=True, slots=True)
class FiledWorkflow:
    """A file in a directory of workflows: the workflow in it, unless `diagnostics` have an error.

    `content` is what it says. A directory that can't be read stands for its files, without a name.
    """

    path: Path
    name: str
    workflow: Workflow | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    content: bytes = b""
    changed_at: float = 0.0

    def saved(self) -> SavedWorkflow | None:
        """The workflow as one that is saved; nothing where something is wrong with it."""
        if self.workflow is None:
            return None
        return SavedWorkflow(_ANYBODY, self.workflow, 1, self.changed_at, self.changed_at, str(self.path))


class WorkflowDirectories:
    """Looks into its directories whenever it is asked, and reads those files again that have changed."""

    def __init__(self, folders: Sequence[Path] = ()) -> None:
        self._folders = tuple(folders)
        self._known: dict[Path, _Kept] = {}

    def __bool__(self) -> bool:
        return bool(self._folders)

    async def files(self) -> Sequence[FiledWorkflow]:
        """All files in the order of their directories; the second one of a name is as good as broken."""
        return await anyio.to_thread.run_sync(self._read) if self._folders else ()

    async def state(self) -> str:
        """Something that is another after a file has come, gone or changed."""
        return repr([(file.path, file.changed_at, hash(file.content)) for file in await self.files()])

    def _read(self) -> Sequence[FiledWorkflow]:
        known: dict[Path, _Kept] = {}
        found: list[FiledWorkflow] = []
        for folder in self._folders:
            try:
                found += self._in_folder(folder, MOST_FILES - len(known), known)
            except OSError as error:
                found.append(_unreadable(folder, (error.strerror or str(error)).lower()))
        self._known = known
        return list(_each_name_once(found))

    def _in_folder(self, folder: Path, most: int, known: dict[Path, _Kept]) -> Iterator[FiledWorkflow]:
        with os.scandir(folder) as listed:
            names = sorted(
                entry.name for entry in listed if entry.name.endswith(SUFFIXES) and not entry.name.startswith(".")
            )
        for name in names[:most]:
            kept = known[folder / name] = self._file(folder, folder / name)
            yield kept[1]
        if len(names) > most:
            yield _unreadable(folder, f"it has more than {MOST_FILES} files with the others; the last are left out")

    def _file(self, folder: Path, path: Path) -> _Kept:
        """The file as it is known, or read again."""
        kept = self._known.get(path)
        stamp: _Stamp
        try:
            facts = path.stat()
            stamp = (os.path.realpath(path), facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)
        except OSError as error:
            stamp, facts = (str(error),), None
        # What was written a moment ago may be written once more without looking any different.
        settled = facts is None or time.time() - facts.st_mtime > _UNSETTLED
        if kept is not None and kept[0] == stamp and settled:
            return kept
        file = replace(_filed(folder, path), changed_at=facts.st_mtime if facts is not None else 0.0)
        if kept is None or kept[1] != file:
            _tell(file)
        return stamp if settled else (*stamp, "unsettled"), file


def _filed(folder: Path, path: Path) -> FiledWorkflow:
    try:
        content = content_of(folder, path)
    except GleitzeitError as error:
        return FiledWorkflow(path, path.stem, diagnostics=(_diagnostic(error),))
    reading = read(content, name=path.stem)
    name = path.stem if reading.draft is None or reading.draft.name == UNNAMED else reading.draft.name
    try:
        check_name(name)
    except GleitzeitError as error:
        return FiledWorkflow(path, path.stem, diagnostics=(*reading.diagnostics, _diagnostic(error, "name")))
    diagnostics = check(reading)
    sound = not any(diagnostic.severity == "error" for diagnostic in diagnostics)
    workflow = replace(reading.workflow, name=name) if reading.workflow is not None and sound else None
    return FiledWorkflow(path, name, workflow, diagnostics, content)


def _each_name_once(files: Iterable[FiledWorkflow]) -> Iterator[FiledWorkflow]:
    first: dict[str, FiledWorkflow] = {}
    for file in files:
        other = first.setdefault(file.name, file) if file.name else file
        if other is file:
            yield file
            continue
        message = f'"{file.name}" is the name of the workflow in {other.path.name} already'
        problem = Diagnostic("conflict", message, "name", hint="give one of them another name")
        yield FiledWorkflow(file.path, file.name, None, (*file.diagnostics, problem), file.content, file.changed_at)


def _unreadable(folder: Path, reason: str) -> FiledWorkflow:
    hint = "create it, or correct workflows.directories in the configuration"
    return FiledWorkflow(folder, "", diagnostics=(Diagnostic("unreadable", reason, hint=hint),))


def _diagnostic(error: GleitzeitError, path: str = "") -> Diagnostic:
    return Diagnostic(error.code, error.message, path, hint=error.hint)


def _tell(file: FiledWorkflow) -> None:
    if file.workflow is None:
        logger.warning("%s can't be used: %s", file.path, "; ".join(str(problem) for problem in file.diagnostics))
