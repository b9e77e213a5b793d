"""What somebody has to say about a run before it can go on, or may have to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gleitzeit.core.decisions import unknown_keys
from gleitzeit.core.keys import is_call, task_of
from gleitzeit.core.models import Run, Task
from gleitzeit.core.nesting import RUN_WORKFLOW
from gleitzeit.store.base import Snapshot, Store, TaskRow


@dataclass(frozen=True, slots=True)
class Undecided:
    """Keys of tasks, and of items such as `send[3]`.

    `unknown` have to be decided on; of those that were `cut_off` by a cancellation, resuming may ask what became.
    """

    unknown: tuple[str, ...] = ()
    cut_off: tuple[str, ...] = ()


async def undecided_in(store: Store, run: Run) -> Undecided:
    """What of a run has to be decided; nothing where another run goes on from it already."""
    if run.error is not None and "resumed_by" in run.error.details:
        return Undecided()
    if not any(task.status in ("unknown", "cancelled") for task in run.tasks.values()):
        return Undecided()
    snapshot = await store.load(run.id)
    return Undecided() if snapshot is None else _in_snapshot(snapshot)


def _in_snapshot(snapshot: Snapshot) -> Undecided:
    tasks = {task.id: task for task in snapshot.run.workflow.tasks}
    cut_off = tuple(key for key, row in snapshot.tasks.items() if _is_cut_off(key, row, tasks))
    return Undecided(tuple(unknown_keys(snapshot.tasks)), cut_off)


def _is_cut_off(key: str, row: TaskRow, tasks: Mapping[str, Task]) -> bool:
    # Whether its method may be repeated is not asked for: that would start its provider just to look at a run.
    if row.state != "cancelled" or row.started_at is None or row.expanded is not None or is_call(key):
        return False
    task = tasks[task_of(key)]
    return not (task.retry_on_crash or task.retry.ambiguous or task.method == RUN_WORKFLOW)
