"""Workflows that are kept under their names: each caller's own, and those in files, which are everybody's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from gleitzeit.application.checking import Checked
from gleitzeit.application.saved_names import UNNAMED, check_name
from gleitzeit.application.workflow_directories import FiledWorkflow, WorkflowDirectories
from gleitzeit.core.diagnostics import Diagnostic, did_you_mean
from gleitzeit.core.errors import DocumentError, ForbiddenError, ValidationError, WorkflowNotFoundError
from gleitzeit.core.findings import Finding
from gleitzeit.core.models import Workflow
from gleitzeit.store.base import SavedWorkflow, Store

_MOST_NAMES = 20


@dataclass(frozen=True, slots=True)
class Trouble:
    """A workflow that can't be used, and why: the name of its file, or the name it is saved under."""

    subject: str
    diagnostics: tuple[Diagnostic, ...]


class SavedWorkflows:
    """Saves, shows, lists and deletes workflows.

    One in a file takes the place of a caller's own of that name: nobody but whoever runs the server can change it.
    """

    def __init__(
        self,
        store: Store,
        directories: WorkflowDirectories | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._directories = directories or WorkflowDirectories()
        self._changed = changed

    @property
    def has_directories(self) -> bool:
        """Whether workflows may change without anybody here being told."""
        return bool(self._directories)

    async def save(
        self, checked: Checked, *, name: str | None = None, overwrite: bool = False, caller: str = "local"
    ) -> SavedWorkflow:
        """Keep a workflow that could run, under `name` or its own; the same once more changes nothing.

        Raises `DocumentError` where it could not run, `ValidationError` where it has no name, or none that can be
        one, `ConflictError` where another one has that name already, unless `overwrite`, and `ForbiddenError` where
        that one is in a file.
        """
        workflow = checked.require()
        chosen = (workflow.name if name is None else name).strip()
        if not chosen or (name is None and chosen == UNNAMED):
            raise ValidationError("a workflow needs a name to be saved", hint="give it a `name`, such as daily-report")
        check_name(chosen)
        self._refuse_file(await self._file(chosen))
        named = replace(workflow, name=chosen)
        saved = await self._store.save_workflow(caller, named, time.time(), overwrite=overwrite)
        self._changed()
        return saved

    async def get(self, name: str, *, caller: str = "local") -> SavedWorkflow:
        """The workflow of that name.

        Raises `WorkflowNotFoundError`, naming the nearest, and `DocumentError` for a file that is broken.
        """
        file = await self._file(name)
        if file is not None:
            found = file.saved()
            if found is None:
                reasons = "; ".join(str(diagnostic) for diagnostic in file.diagnostics)
                raise DocumentError(file.diagnostics, message=f"{file.path.name}: {reasons}")
            return found
        kept = await self._store.workflow(caller, name)
        if kept is None:
            raise await self._missing(caller, name)
        return kept

    async def source(self, name: str, *, caller: str = "local") -> Workflow | bytes:
        """The document of that name, to be checked: of a broken file what it says, however wrong.

        Raises `WorkflowNotFoundError`, naming the nearest, and `DocumentError` for a file without a document.
        """
        file = await self._file(name)
        if file is not None and file.content and file.workflow is None:
            return file.content
        return (await self.get(name, caller=caller)).workflow

    async def list(self, *, caller: str = "local") -> Sequence[SavedWorkflow]:
        """All that a caller can run, by name."""
        found = {saved.name: saved for saved in await self._store.workflows(caller)}
        for file in await self._directories.files():
            saved = file.saved()
            if saved is not None:
                found[saved.name] = saved
            else:
                found.pop(file.name, None)
        return [found[name] for name in sorted(found)]

    async def troubles(self, *, caller: str = "local") -> Sequence[Trouble]:
        """Files that are broken, and workflows of the caller's that a file has taken the place of."""
        files = await self._directories.files()
        broken = [Trouble(file.path.name, file.diagnostics) for file in files if file.workflow is None]
        if not files:
            return broken
        named = {file.name: file for file in files}
        hidden = [saved.name for saved in await self._store.workflows(caller) if saved.name in named]
        return [*broken, *(Trouble(name, (_hidden(named[name]),)) for name in hidden)]

    async def examine(self) -> Sequence[Finding]:
        """What is to be said of the directories and their files."""
        files = await self._directories.files()
        wrong = [
            Finding(f"workflow {file.path}", "warning", str(diagnostic), diagnostic.hint)
            for file in files
            if file.workflow is None
            for diagnostic in file.diagnostics
        ]
        well = sum(file.workflow is not None for file in files)
        count = f"{well} workflow{'' if well == 1 else 's'} in files"
        return [Finding("workflows.directories", "ok", count), *wrong] if self._directories else []

    async def delete(self, name: str, *, caller: str = "local") -> None:
        """Forget a workflow of the caller's; its runs stay.

        Raises `WorkflowNotFoundError`, naming the nearest, and `ForbiddenError` for one in a file.
        """
        if not await self._store.delete_workflow(caller, name):
            self._refuse_file(await self._file(name))
            raise await self._missing(caller, name)
        self._changed()

    async def state(self) -> str:
        """Something that is another after a workflow of anybody's has been saved, changed or deleted."""
        return f"{await self._store.workflows_state()} {await self._directories.state()}"

    async def _file(self, name: str) -> FiledWorkflow | None:
        """The first file of that name, be it broken or not."""
        return next((file for file in await self._directories.files() if file.name == name), None)

    def _refuse_file(self, file: FiledWorkflow | None) -> None:
        if file is not None:
            raise ForbiddenError(
                f'"{file.name}" is the workflow in the file {file.path.name}, which can\'t be changed from here',
                hint="take another name, or ask whoever runs the server to change the file",
            )

    async def _missing(self, caller: str, name: str) -> WorkflowNotFoundError:
        names = [saved.name for saved in await self.list(caller=caller)]
        more = ", …" if len(names) > _MOST_NAMES else ""
        known = f"saved are {', '.join(names[:_MOST_NAMES])}{more}" if names else "none is saved yet"
        return WorkflowNotFoundError(f'there is no saved workflow "{name}"', hint=did_you_mean(name, names) or known)


def _hidden(file: FiledWorkflow) -> Diagnostic:
    return Diagnostic(
        "conflict",
        f"the file {file.path.name} has taken the place of the workflow that was saved under this name",
        hint="save it under another name, and delete this one",
        severity="warning",
    )
