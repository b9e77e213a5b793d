"""What stores in memory keep, and may share."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count

from gleitzeit.core.models import OVER, Event, RunState
from gleitzeit.store.base import Change, EventDraft, Owner, Request, RunRow, SavedWorkflow, TaskRow
from gleitzeit.store.owners import living


@dataclass(slots=True, eq=False)
class StoredRun:
    """A run with all that was written of it."""

    row: RunRow
    number: int
    owner: str | None
    tasks: dict[str, TaskRow] = field(default_factory=dict[str, TaskRow])
    events: list[Event] = field(default_factory=list[Event])
    requests: list[tuple[int, Request]] = field(default_factory=list[tuple[int, Request]])
    digests: set[str] = field(default_factory=set[str])

    @property
    def over(self) -> bool:
        """Whether nothing more happens to it."""
        return self.row.state in OVER

    @property
    def shown(self) -> RunState:
        """The state that lists show."""
        asks = self.row.state == "running" and any(task.state == "waiting" for task in self.tasks.values())
        return "waiting" if asks else self.row.state

    def append(self, drafts: Iterable[EventDraft]) -> None:
        """Number events and keep them."""
        run_id, first = self.row.id, len(self.events) + 1
        self.events += [
            Event(run_id, seq, draft.kind, draft.at, draft.task_id, draft.data)
            for seq, draft in enumerate(drafts, first)
        ]

    def update(self, run: RunRow) -> None:
        """Take over what a run became; what it was given stays."""
        self.row = self.row._replace(
            state=run.state, finished_at=run.finished_at, outputs=run.outputs, failure=run.failure
        )


@dataclass(frozen=True, slots=True, eq=False)
class Presence:
    """A process that has the shelf open. Its clock is the sign of life that it gives."""

    owner: Owner
    uptime: Callable[[], float]
    changed: Callable[[], None]


@dataclass(slots=True, eq=False)
class Shelf:
    """Runs by id and in lists: a page costs what it shows, a write what it writes."""

    runs: dict[str, StoredRun] = field(default_factory=dict[str, StoredRun])
    lists: dict[tuple[str | None, str | None], list[StoredRun]] = field(
        default_factory=dict[tuple[str | None, str | None], list[StoredRun]]
    )
    keys: dict[tuple[str, str], str] = field(default_factory=dict[tuple[str, str], str])
    cache: dict[str, dict[tuple[str, str], float]] = field(default_factory=dict[str, dict[tuple[str, str], float]])
    saved: dict[tuple[str, str], SavedWorkflow] = field(default_factory=dict[tuple[str, str], SavedWorkflow])
    present: dict[str, Presence] = field(default_factory=dict[str, Presence])
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def rival(self, run: RunRow) -> str | None:
        """The run that has the id or the idempotency key of a new one."""
        if run.id in self.runs:
            return run.id
        return None if run.idempotency_key is None else self.keys.get((run.caller, run.idempotency_key))

    def add(self, run: RunRow, owner: str | None) -> StoredRun:
        """Keep a new run."""
        kept = self.runs[run.id] = StoredRun(run, next(self.numbers), owner)
        for place in _lists_of(run):
            self.lists.setdefault(place, []).append(kept)
        if run.idempotency_key is not None:
            self.keys[run.caller, run.idempotency_key] = run.id
        return kept

    def write(self, kept: StoredRun, change: Change) -> None:
        """Keep what a change brings, but for the run's own row."""
        for task in change.tasks:
            kept.tasks[task.key] = task
        kept.append(change.events)
        for entry in change.cache:
            self.cache.setdefault(entry.digest, {})[kept.row.id, entry.key] = entry.expires_at
            kept.digests.add(entry.digest)

    def family(self, kept: StoredRun) -> list[StoredRun]:
        """A run, its children, theirs, and so on."""
        family = [kept]
        for one in family:
            family += self.lists.get((one.row.id, None), ())
        return family

    def forget(self, family: Sequence[StoredRun]) -> None:
        """Keep nothing of these runs."""
        for one in family:
            del self.runs[one.row.id]
            if one.row.idempotency_key is not None:
                del self.keys[one.row.caller, one.row.idempotency_key]
            self._forget_results(one)
            for place in _lists_of(one.row):
                kept = self.lists[place]
                del kept[place_of(kept, one.number)]
                if not kept:
                    del self.lists[place]

    def _forget_results(self, kept: StoredRun) -> None:
        for digest in kept.digests:
            entries = self.cache.get(digest, {})
            for place in [place for place in entries if place[0] == kept.row.id]:
                del entries[place]
            if not entries:
                self.cache.pop(digest, None)

    def living(self, here: Owner, now: float, lease: float) -> frozenset[str]:
        """The processes that may carry runs out now, `here` among them."""
        return living(((one.owner, one.uptime()) for one in self.present.values()), here, now, lease)


def place_of(kept: Sequence[StoredRun], number: int) -> int:
    """Where a run of that number stands in a list, or would stand."""
    return bisect_left(kept, number, key=lambda one: one.number)


def _lists_of(run: RunRow) -> tuple[tuple[str | None, str | None], ...]:
    return (run.parent_id, run.caller), (run.parent_id, None)
