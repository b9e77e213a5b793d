"""Whether a task may be carried out again although nobody knows whether it has been carried out already."""

from __future__ import annotations

from collections.abc import Sequence

import anyio

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.models import Task
from gleitzeit.engine.local.context import Methods
from gleitzeit.engine.local.journal import in_doubt
from gleitzeit.store.base import TaskRow

_SECONDS = 5.0


def only_reads(methods: Methods, task: Task) -> bool:
    """Whether it is known, without asking anybody, that nothing is changed by it, nor by what it calls.

    To be idempotent is less: what is done again after a crash may have other parameters, from results that were lost.
    """
    spec = methods.described(task.method)
    return spec is not None and spec.read_only and not (task.calls or spec.calls)


async def repeatable(methods: Methods, task: Task, calls: Sequence[TaskRow] = ()) -> bool:
    """Whether its method is declared so. Calls that its own code makes are covered only by read-only.

    `calls` are those that it has made by itself: one of which nobody knows what became must be repeatable too.
    """
    if not await _declared(methods, task.method, by_itself=not task.calls):
        return False
    doubts = {str(row.metadata["method"]) for row in calls if in_doubt(row) and not row.metadata["read_only"]}
    for method in doubts:
        if not await _declared(methods, method):
            return False
    return True


async def _declared(methods: Methods, method: str, *, by_itself: bool = True) -> bool:
    """Whether a method is read-only or, where it does all by itself, idempotent."""
    spec = None
    with anyio.move_on_after(_SECONDS):
        try:
            spec = await methods.describe(method)
        except GleitzeitError:  # the method went away: nothing is declared of it any more
            spec = None
    return spec is not None and (spec.read_only or (spec.idempotent and by_itself))
