"""`Scene`: what the tasks of one run share. `Ending`: what one of them came to."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anyio.abc import TaskGroup

from gleitzeit.core.plan import OutcomeKind
from gleitzeit.engine.local.seats import Seat
from gleitzeit.engine.local.workshop import Workshop
from gleitzeit.store.base import EventDraft, RunRow, TaskRow


@dataclass(frozen=True, slots=True)
class Scene:
    """What all tasks of one run share. `results` are those that references see, and grow while it runs."""

    run: RunRow
    roots: tuple[Path, ...]
    results: Mapping[str, Any]
    seats: dict[str, Seat]
    shop: Workshop
    group: TaskGroup
    write: Callable[[Sequence[TaskRow], Sequence[EventDraft]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a task: its row, what is told of it, and the items of a foreach."""

    kind: OutcomeKind
    row: TaskRow
    events: list[EventDraft]
    items: Sequence[Any] = ()
