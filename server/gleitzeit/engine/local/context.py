"""What a task finds around it: the parts of the engine, and what the tasks of its run share."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import anyio
from anyio.abc import TaskGroup

from gleitzeit.core.models import Run
from gleitzeit.core.plan_actions import OutcomeKind
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import Submission
from gleitzeit.engine.evaluator import Evaluator, RunEvaluator
from gleitzeit.engine.local.clock import Clock
from gleitzeit.engine.local.places import Place
from gleitzeit.engine.local.secrets import RunSecrets
from gleitzeit.store.base import EventDraft, RunRow, Store, TaskRow


class Methods(Protocol):
    """What an engine needs of a registry."""

    async def execute(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Have one request carried out, and return what the provider returned, or raise what it raised."""
        ...

    async def describe(self, method: str) -> MethodSpec | None:
        """What a method takes and returns; nothing where its provider does not say."""
        ...


Policy = Callable[[str], None]
"""Called with a method before it is carried out; raises `ForbiddenError` to prevent it."""


@dataclass(frozen=True, slots=True)
class EngineParts:
    """The parts that carry out tasks. `child` submits a run for a task and returns it once it is over."""

    methods: Methods
    store: Store
    evaluator: Evaluator
    clock: Clock
    secrets: Mapping[str, str]
    policy: Policy | None
    result_bytes: int
    places: anyio.Semaphore | None
    child: Callable[[Submission], Awaitable[Run]]


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all tasks of one run share. `results` are those that references see, and grow while it runs."""

    run: RunRow
    roots: tuple[Path, ...]
    secrets: RunSecrets
    evaluator: RunEvaluator
    results: Mapping[str, Any]
    places: dict[str, Place]
    parts: EngineParts
    group: TaskGroup
    write: Callable[[Sequence[TaskRow], Sequence[EventDraft]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Ending:
    """What became of a task: its row, what is told of it, and the items of a foreach."""

    kind: OutcomeKind
    row: TaskRow
    events: list[EventDraft]
    items: Sequence[Any] = ()
