"""What becomes of a saved workflow when it is saved once more."""

from __future__ import annotations

from dataclasses import replace

from gleitzeit.core.digest import canonical_text
from gleitzeit.core.errors import ConflictError
from gleitzeit.core.models import Workflow
from gleitzeit.store.base import SavedWorkflow


def next_version(
    kept: SavedWorkflow | None, caller: str, workflow: Workflow, now: float, *, overwrite: bool
) -> SavedWorkflow:
    """What is kept from now on: `kept` itself where nothing changed. Raises `ConflictError`."""
    if kept is None:
        return SavedWorkflow(caller, workflow, 1, now, now)
    if canonical_text(kept.workflow.canonical()) == canonical_text(workflow.canonical()):
        return kept
    if not overwrite:
        raise ConflictError(
            f'another workflow is saved as "{workflow.name}"', hint="save it under another name, or overwrite that one"
        )
    return replace(kept, workflow=workflow, version=kept.version + 1, updated_at=now)
