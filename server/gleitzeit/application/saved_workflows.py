"""Workflows that are kept under their names, each caller's own."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from gleitzeit.application.checking import Checked
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import ValidationError, WorkflowNotFoundError
from gleitzeit.core.models import Workflow
from gleitzeit.store.base import SavedWorkflow, Store

_UNNAMED = Workflow(tasks=()).name
_LONGEST_NAME = 128
_NAMES = f"a name has 1 to {_LONGEST_NAME} printable characters, and no slash at its ends"


class SavedWorkflows:
    """Saves, shows, lists and deletes workflows."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def save(
        self, checked: Checked, *, name: str | None = None, overwrite: bool = False, caller: str = "local"
    ) -> SavedWorkflow:
        """Keep a workflow that could run, under `name` or its own; the same once more changes nothing.

        Raises `DocumentError` where it could not run, `ValidationError` where it has no name, and `ConflictError`
        where another one has that name already, unless `overwrite`.
        """
        workflow = checked.require()
        chosen = (workflow.name if name is None else name).strip()
        if not chosen or (name is None and chosen == _UNNAMED):
            raise ValidationError("a workflow needs a name to be saved", hint="give it a `name`, such as daily-report")
        _check_name(chosen)
        named = replace(workflow, name=chosen)
        return await self._store.save_workflow(caller, named, time.time(), overwrite=overwrite)

    async def get(self, name: str, *, caller: str = "local") -> SavedWorkflow:
        """The workflow of that name. Raises `WorkflowNotFoundError`, naming the nearest."""
        return await find_saved(self._store, caller, name)

    async def list(self, *, caller: str = "local") -> Sequence[SavedWorkflow]:
        """All of a caller's workflows, by name."""
        return await self._store.workflows(caller)

    async def delete(self, name: str, *, caller: str = "local") -> None:
        """Forget a workflow; its runs stay. Raises `WorkflowNotFoundError`, naming the nearest."""
        if not await self._store.delete_workflow(caller, name):
            raise await _missing(self._store, caller, name)


def _check_name(name: str) -> None:
    if len(name) > _LONGEST_NAME:
        raise ValidationError(f"the name is {len(name)} characters long", hint=_NAMES)
    if not name.isprintable() or name != name.strip("/"):
        raise ValidationError(f"{name!r} can't be the name of a saved workflow", hint=_NAMES)


async def find_saved(store: Store, caller: str, name: str) -> SavedWorkflow:
    """A caller's workflow of that name. Raises `WorkflowNotFoundError`, naming the nearest."""
    found = await store.workflow(caller, name)
    if found is None:
        raise await _missing(store, caller, name)
    return found


async def _missing(store: Store, caller: str, name: str) -> WorkflowNotFoundError:
    names = [saved.name for saved in await store.workflows(caller)]
    hint = did_you_mean(name, names) or (f"saved are {', '.join(names[:20])}" if names else "none is saved yet")
    return WorkflowNotFoundError(f'there is no saved workflow "{name}"', hint=hint)
