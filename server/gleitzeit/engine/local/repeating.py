"""Whether a task may be carried out again although nobody knows whether it has been carried out already."""

from __future__ import annotations

import anyio

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.models import Task
from gleitzeit.engine.local.context import Methods

_SECONDS = 5.0


async def repeatable(methods: Methods, task: Task) -> bool:
    """Whether its method is declared so. Calls that its own code makes are covered only by read-only."""
    spec = None
    with anyio.move_on_after(_SECONDS):
        try:
            spec = await methods.describe(task.method)
        except GleitzeitError:  # the method went away: nothing is declared of it any more
            spec = None
    return spec is not None and (spec.read_only or (spec.idempotent and not task.calls))
