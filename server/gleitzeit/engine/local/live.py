"""`Live`: what a run has only while it is carried out here."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from gleitzeit.engine.local.context import EngineParts, RunContext
from gleitzeit.engine.local.course import Course, Stage
from gleitzeit.engine.local.progress import Progress
from gleitzeit.engine.local.run_rows import RunRows
from gleitzeit.engine.local.secrets import RunSecrets
from gleitzeit.store.base import EventDraft, TaskRow


@dataclass(slots=True)
class Live:
    """The parts of a runner that refer to it in their turn.

    Let go of together, they are freed at once: left to the collector of cycles, they would cost half as much again as
    a run of one task does.
    """

    context: RunContext
    course: Course
    progress: Progress


def live(
    rows: RunRows,
    parts: EngineParts,
    secrets: RunSecrets,
    stage: Stage,
    record: Callable[[Sequence[TaskRow], Sequence[EventDraft]], Awaitable[None]],
    due: Callable[[], None],
    meta: Mapping[str, str],
    *,
    traced: bool,
) -> Live:
    """What a run begins with; `due` is called when there is progress to write."""
    progress = Progress(parts.alarms, due)
    context = RunContext(
        run=rows.run,
        rows=rows,
        roots=_paths(tuple(rows.run.roots)),
        secrets=secrets,
        evaluator=parts.evaluator.for_run(),
        results={},
        parts=parts,
        record=record,
        tell=progress.tell,
        meta=meta,
        traced=traced,
    )
    return Live(context, Course(context, stage), progress)


@lru_cache(maxsize=64)
def _paths(roots: tuple[str, ...]) -> tuple[Path, ...]:
    """The same for nearly all runs of a process."""
    return tuple(Path(root) for root in roots)
