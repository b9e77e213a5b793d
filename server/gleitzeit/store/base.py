"""The `Store` contract: rows of runs and tasks, and the events written with them."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gleitzeit.core.models import Event, Failure, RunState, TaskState, Workflow


@dataclass(frozen=True, slots=True)
class TaskRow:
    """The state of one task, or of one item of a foreach (`key` is then `id[index]`).

    `count` is the number of items of a foreach once it is known. Times are seconds since the epoch.
    """

    key: str
    state: TaskState
    attempts: int = 0
    result: Any = None
    failure: Failure | None = None
    started_at: float | None = None
    finished_at: float | None = None
    count: int | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class RunRow:
    """One run: its document and inputs never change, the rest follows its tasks."""

    id: str
    caller: str
    workflow: Workflow
    inputs: Mapping[str, Any]
    state: RunState
    created_at: float
    finished_at: float | None = None
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    failure: Failure | None = None
    parent_id: str | None = None
    parent_task: str | None = None
    roots: tuple[str, ...] = ()
    epoch: int = 0


@dataclass(frozen=True, slots=True)
class EventDraft:
    """An event before the store numbers it."""

    kind: str
    at: float
    task_id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A run with the rows of its tasks, as one consistent view; `seq` is that of the last event in it."""

    run: RunRow
    tasks: Mapping[str, TaskRow]
    seq: int


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, newest first, without their tasks; `cursor` asks for the next page."""

    runs: Sequence[RunRow]
    cursor: str | None


class Store(abc.ABC):
    """Keeps runs. Whatever a call returned for is durable; a run's rows and events change together.

    Every write carries the run's `epoch` and raises `ConflictError` where another owner has taken the run since.
    """

    @abc.abstractmethod
    async def open(self) -> None:
        """Make the store usable; called once."""

    @abc.abstractmethod
    async def close(self) -> None:
        """Write what is left and release everything; called once."""

    @abc.abstractmethod
    async def create(self, run: RunRow, events: Sequence[EventDraft]) -> Sequence[Event]:
        """Add a run. Raises `ConflictError` where its id exists."""

    @abc.abstractmethod
    async def commit(
        self,
        run_id: str,
        epoch: int,
        *,
        tasks: Sequence[TaskRow] = (),
        events: Sequence[EventDraft] = (),
        run: RunRow | None = None,
    ) -> Sequence[Event]:
        """Write task rows, the run's own row if given, and events in one transaction; return the numbered events."""

    @abc.abstractmethod
    async def load(self, run_id: str) -> Snapshot | None:
        """A run with its tasks, or nothing."""

    @abc.abstractmethod
    async def runs(
        self,
        *,
        caller: str | None = None,
        state: str | None = None,
        name: str | None = None,
        parent_id: str | None = None,
        limit: int = 20,
        cursor: str | None = None,
    ) -> RunPage:
        """Runs that fit, newest first. Children are listed only with their `parent_id`."""

    @abc.abstractmethod
    async def events(self, run_id: str, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of a run with a higher `seq` than `after`, in order."""
