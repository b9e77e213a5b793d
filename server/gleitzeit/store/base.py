"""The `Store` contract: rows of runs and tasks, the events written with them, and which process carries a run out."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.models import OVER, Event, Failure, RunState, TaskState, Workflow

LEASE = 15.0
"""Seconds after its last heartbeat until a process counts as gone."""

HEARTBEAT = 5.0
"""Seconds between two heartbeats of a process."""


NOTHING: Mapping[str, Any] = MappingProxyType({})
"""No facts at all."""


# Rows, changes and snapshots are tuples: runs make and drop thousands of these, and a frozen dataclass takes three
# times as long to make.
class TaskRow(NamedTuple):
    """The state of a task, of one item of a foreach (`id[3]`), or of a call that a task's code made (`id/2`).

    `expanded` is the number of items of a foreach once it is known. `not_before` is when the next attempt of a `ready`
    task is due. Times are seconds since the epoch.
    """

    key: str
    state: TaskState
    attempts: int = 0
    result: Any = None
    failure: Failure | None = None
    started_at: float | None = None
    finished_at: float | None = None
    expanded: int | None = None
    not_before: float | None = None
    metadata: Mapping[str, Any] = NOTHING


class RunRow(NamedTuple):
    """One run: its document and inputs never change, the rest follows its tasks.

    `root_id` is the first of its ancestors, None where it has none. `digest` is that of document and inputs, where
    it was needed. `uptime` is when it was created on the clock of the machine's `boot`, which nobody can set.
    """

    id: str
    caller: str
    workflow: Workflow
    inputs: Mapping[str, Any]
    state: RunState
    created_at: float
    finished_at: float | None = None
    outputs: Mapping[str, Any] = NOTHING
    failure: Failure | None = None
    parent_id: str | None = None
    parent_task: str | None = None
    root_id: str | None = None
    resumed_from: str | None = None
    idempotency_key: str | None = None
    digest: str | None = None
    roots: tuple[str, ...] = ()
    boot: str = ""
    uptime: float = 0.0
    epoch: int = 0


class EventDraft(NamedTuple):
    """An event before the store numbers it."""

    kind: str
    at: float
    task_id: str | None = None
    data: Mapping[str, Any] = NOTHING


@dataclass(frozen=True, slots=True)
class CacheEntry:
    """The result of the task `key` may be used again until `expires_at` for whatever has the same `digest`."""

    digest: str
    key: str
    expires_at: float


class Change(NamedTuple):
    """What is written of one run at once: all of it or nothing.

    `run` is the run's own row: a `new` one, or the one that replaces it. `release` gives the run up: any process may
    carry it on. A run that is over belongs to nobody.
    """

    run_id: str
    epoch: int = 0
    tasks: Sequence[TaskRow] = ()
    events: Sequence[EventDraft] = ()
    run: RunRow | None = None
    new: bool = False
    release: bool = False
    cache: Sequence[CacheEntry] = ()

    @property
    def frees(self) -> bool:
        """Whether nobody owns the run after it."""
        return self.release or (self.run is not None and (self.run.state in OVER or self.run.state == "waiting"))


Committed = int | GleitzeitError
"""What became of a change: the run's last `seq` after it, or why nothing of it was written."""


class Snapshot(NamedTuple):
    """A run with the rows of its tasks, as one consistent view; `seq` is that of the last event in it.

    `owner` is the process that carries it out, by the id of its `Owner`, whether or not that process is still there.
    """

    run: RunRow
    tasks: Mapping[str, TaskRow]
    seq: int
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class RunHead:
    """What a list shows of a run, and what its parent needs to find it again: no document and no data.

    One that runs is `waiting` here while a task of it asks.
    """

    id: str
    caller: str
    name: str
    state: RunState
    created_at: float
    finished_at: float | None = None
    failure: Failure | None = None
    parent_id: str | None = None
    parent_task: str | None = None
    resumed_from: str | None = None
    digest: str | None = None
    owner: str | None = None


@dataclass(frozen=True, slots=True)
class RunPage:
    """Runs, newest first; `cursor` asks for the next page."""

    runs: Sequence[RunHead]
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Owner:
    """A process that carries out runs. `id` is new for each start; `process` tells it from a later one with its `pid`.

    Where all but the `id` is empty, only the lapse of its lease tells that it is gone.
    """

    id: str
    boot: str = ""
    pid: int = 0
    process: str = ""


@dataclass(frozen=True, slots=True)
class Orphan:
    """An open run that no living process carries out, and the methods that its document names."""

    run_id: str
    methods: frozenset[str]


RequestKind = Literal["cancel", "answer"]


@dataclass(frozen=True, slots=True)
class Request:
    """What another process asks of the one that carries a run out."""

    run_id: str
    kind: RequestKind
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class CachedResult:
    """A result that may be used again, and the run and task that it is from."""

    result: Any
    run_id: str
    key: str


@dataclass(frozen=True, slots=True)
class SavedWorkflow:
    """A workflow under its own name; `version` counts from 1 with every change. Times are seconds since the epoch.

    `path` is the file that it is read from, where it is not kept in a store: then it is every caller's.
    """

    caller: str
    workflow: Workflow
    version: int
    created_at: float
    updated_at: float
    path: str | None = None

    @property
    def name(self) -> str:
        """The name that it was saved under."""
        return self.workflow.name


class Store(abc.ABC):
    """Keeps runs. Whatever a call returned for is durable; a run's rows and events change together.

    Several stores may share the same data, each in a process of its own: a run is carried out by one of them, its
    owner, and every change carries the `epoch` that it was created or claimed with. Whatever can't be read or written
    for a reason that may go away (a full disk, another program's lock) raises `StoreError`, which is retryable.
    """

    # Life

    @abc.abstractmethod
    async def open(self, owner: Owner, changed: Callable[[], None] = lambda: None) -> None:
        """Make the store usable and give signs of life for `owner` from now on; called once.

        `changed` is called in this event loop soon after another process has written something.
        Raises `ConfigurationError` where what is there is not a store of this version.
        """

    @abc.abstractmethod
    async def close(self) -> None:
        """Write what is left, give up all runs, and release everything; called once."""

    @property
    @abc.abstractmethod
    def secured(self) -> float:
        """Until when, on the clock of leases, nobody else claims the runs of this owner."""

    @property
    @abc.abstractmethod
    def lapses(self) -> int:
        """How often the lease had ended when it was renewed: others may have claimed runs of this owner meanwhile."""

    # Runs

    @abc.abstractmethod
    async def commit(self, changes: Sequence[Change]) -> Sequence[Committed]:
        """Write several changes in one transaction, and say for each what became of it, in order.

        A change is refused, without harm to the others, with `LeaseLostError` where its epoch is not the run's any
        more, with `RunNotFoundError` where there is no such run, and with `ConflictError` where a new run's id exists
        or its caller has used its `idempotency_key` before; `details["run_id"]` then is that of the run it was for.
        Raises `StoreError`: then nothing was written.
        """

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
        """Runs that fit, newest first. Children are listed only with their `parent_id`.

        Raises `ValidationError` for a cursor that it did not give.
        """

    @abc.abstractmethod
    async def events(self, run_id: str, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of a run with a higher `seq` than `after`, in order."""

    @abc.abstractmethod
    async def cached(self, caller: str, digest: str, now: float) -> CachedResult | None:
        """The newest completed result of this caller's runs under `digest` that has not expired at `now`."""

    @abc.abstractmethod
    async def prune(self, *, now: float, before: float | None = None, keep: int | None = None) -> int:
        """Forget runs that are over: those finished `before`, and all but the last `keep`; how many they were.

        A run goes with its children, and stays as long as one of those is not over. Cache entries that have expired
        at `now` go too.
        """

    # Ownership

    @abc.abstractmethod
    async def orphans(self, after: str | None = None, limit: int = 100) -> Sequence[Orphan]:
        """Runs that are pending or running and that nobody living carries out, oldest first, those after `after`.

        A child is among them only where its parent is over.
        """

    @abc.abstractmethod
    async def claim(self, run_id: str) -> Snapshot | None:
        """Take a run that is not over, with its descendants that are not: their epochs grow by one.

        Nothing where it is over, or a living process other than this one carries it out. One that waits (state
        `waiting`) belongs to nobody and can be claimed.
        """

    @abc.abstractmethod
    async def owned(self) -> Mapping[str, int]:
        """The open runs that this owner has, and their epochs."""

    @abc.abstractmethod
    async def request(self, request: Request) -> None:
        """Leave a request for the process that carries a run out; it is forgotten once the run is over."""

    @abc.abstractmethod
    async def requests(self) -> Sequence[Request]:
        """The requests that are left for this owner's runs, oldest first; they stay until their run is over."""

    # Saved workflows

    @abc.abstractmethod
    async def save_workflow(self, caller: str, workflow: Workflow, now: float, *, overwrite: bool) -> SavedWorkflow:
        """Keep a workflow under its name; one that is the same already stays as it is.

        Raises `ConflictError` where another one has that name, unless `overwrite`.
        """

    @abc.abstractmethod
    async def workflow(self, caller: str, name: str) -> SavedWorkflow | None:
        """A caller's workflow of that name, or nothing."""

    @abc.abstractmethod
    async def workflows(self, caller: str) -> Sequence[SavedWorkflow]:
        """All saved workflows of a caller, by name."""

    @abc.abstractmethod
    async def workflows_state(self) -> str:
        """Something that is another after anybody has saved, changed or deleted a workflow."""

    @abc.abstractmethod
    async def delete_workflow(self, caller: str, name: str) -> bool:
        """Forget a workflow; whether there was one."""
