"""`MemoryStore`: the store of tests and of short-lived processes; nothing in it outlives them."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice

from gleitzeit.core.models import OVER, Event, Workflow
from gleitzeit.store.base import (
    LEASE,
    CachedResult,
    Change,
    Committed,
    Orphan,
    Owner,
    Request,
    RunHead,
    RunPage,
    RunRow,
    SavedWorkflow,
    Snapshot,
    Store,
)
from gleitzeit.store.cursors import number_of
from gleitzeit.store.owners import MARGIN
from gleitzeit.store.refusals import conflict, lost, no_run
from gleitzeit.store.saving import next_version
from gleitzeit.store.shelf import Presence, Shelf, StoredRun, place_of

KEEP = 1_000


class MemoryStore(Store):
    """Keeps runs in this process: a page costs what it shows, a write what it writes.

    Of the runs that are over, it forgets all but the last `keep`, each with its children. Children are not counted.
    With a `peer`, both have the same data, each for an owner of its own.
    """

    def __init__(
        self,
        *,
        keep: int = KEEP,
        peer: MemoryStore | None = None,
        uptime: Callable[[], float] = time.monotonic,
        lease: float = LEASE,
    ) -> None:
        self._keep = keep
        self._shelf: Shelf = Shelf() if peer is None else peer._shelf  # noqa: SLF001 of the same class
        self._over: deque[StoredRun] = deque() if peer is None else peer._over  # noqa: SLF001
        self._uptime = uptime
        self._lease = lease

    async def open(self, owner: Owner, changed: Callable[[], None] = lambda: None) -> None:
        """Be there for `owner`, as long as its clock goes on."""
        self._owner = owner
        self._shelf.present[owner.id] = Presence(owner, self._uptime, changed)

    async def close(self) -> None:
        """Give up all runs; what is kept can still be read."""
        for kept in self._owned():
            kept.owner = None
        del self._shelf.present[self._owner.id]
        self._tell_others()

    @property
    def secured(self) -> float:
        """Some time from now: signs of life need nothing but a clock that goes on."""
        return self._uptime() + self._lease - MARGIN * self._lease

    @property
    def lapses(self) -> int:
        """None: there is nothing to be renewed."""
        return 0

    async def commit(self, changes: Sequence[Change]) -> Sequence[Committed]:
        """Write several changes, and say for each what became of it."""
        outcomes = [self._write(change) for change in changes]
        self._tell_others()
        return outcomes

    async def load(self, run_id: str) -> Snapshot | None:
        """A run with its tasks, or nothing."""
        kept = self._shelf.runs.get(run_id)
        return None if kept is None else Snapshot(kept.row, dict(kept.tasks), len(kept.events), kept.owner)

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
        """Runs that fit, newest first. Raises `ValidationError` for a cursor that it did not give."""
        kept = self._shelf.lists.get((parent_id, caller), [])
        fitting = (
            one
            for one in _backwards(kept, place_of(kept, number_of(cursor)))
            if state in (None, one.shown) and name in (None, one.row.workflow.name)
        )
        page = list(islice(fitting, limit))
        more = next(fitting, None) is not None
        return RunPage([_head(one) for one in page], str(page[-1].number) if page and more else None)

    async def events(self, run_id: str, after: int = 0, limit: int = 1000) -> Sequence[Event]:
        """Events of a run with a higher `seq` than `after`, in order."""
        kept = self._shelf.runs.get(run_id)
        return [] if kept is None else kept.events[max(after, 0) : max(after, 0) + limit]

    async def cached(self, caller: str, digest: str, now: float) -> CachedResult | None:
        """The newest completed result of this caller's runs under `digest` that has not expired at `now`."""
        found: list[tuple[float, int, CachedResult]] = []
        for (run_id, key), expires_at in self._shelf.cache.get(digest, {}).items():
            kept = self._shelf.runs[run_id]
            task = kept.tasks.get(key)
            if task is not None and task.state == "completed" and expires_at > now and kept.row.caller == caller:
                found.append((task.finished_at or 0.0, kept.number, CachedResult(task.result, run_id, key)))
        return max(found, key=lambda one: one[:2])[2] if found else None

    async def prune(self, *, now: float, before: float | None = None, keep: int | None = None) -> int:
        """Forget runs that are over, those too old and those too many; how many without a parent they were."""
        ended = sorted(
            (kept for kept in self._shelf.lists.get((None, None), []) if kept.over),
            key=lambda one: (one.row.finished_at or 0.0, one.number),
        )
        surplus = len(ended) if keep is None else keep
        chosen = [
            kept
            for rank, kept in enumerate(reversed(ended))
            if rank >= surplus or (before is not None and (kept.row.finished_at or before) < before)
        ]
        forgotten = [kept for kept in chosen if self._forget(kept)]
        self._forget_expired(now)
        return len(forgotten)

    async def orphans(self, after: str | None = None, limit: int = 100) -> Sequence[Orphan]:
        """Runs in state pending or running that nobody living carries out, oldest first."""
        living = self._living()
        start = self._shelf.runs[after].number if after in self._shelf.runs else 0
        fitting = (
            Orphan(one.row.id, frozenset(task.method for task in one.row.workflow.tasks))
            for one in self._shelf.runs.values()
            if one.number > start
            and one.row.state in ("pending", "running")
            and one.owner not in living
            and self._is_by_itself(one)
        )
        return list(islice(fitting, limit))

    def _is_by_itself(self, one: StoredRun) -> bool:
        """Whether a run has no parent, or one that is over and has left it behind."""
        parent = self._shelf.runs.get(one.row.parent_id or "")
        return one.row.parent_id is None or (parent is not None and parent.over)

    async def claim(self, run_id: str) -> Snapshot | None:
        """Take a run that is not over, with its descendants that are not, unless a living process has it."""
        kept = self._shelf.runs.get(run_id)
        if kept is None or kept.over or (kept.owner != self._owner.id and kept.owner in self._living()):
            return None
        for one in self._shelf.family(kept):
            if not one.over:
                one.owner = self._owner.id
                one.row = one.row._replace(epoch=one.row.epoch + 1)
        self._tell_others()
        return await self.load(run_id)

    async def owned(self) -> Mapping[str, int]:
        """The open runs that this owner has, and their epochs."""
        return {kept.row.id: kept.row.epoch for kept in self._owned()}

    async def request(self, request: Request) -> None:
        """Leave a request for the process that carries a run out; one for a run that is over is none."""
        kept = self._shelf.runs.get(request.run_id)
        if kept is not None and not kept.over:
            kept.requests.append((next(self._shelf.numbers), request))
            self._tell_others()

    async def requests(self) -> Sequence[Request]:
        """The requests that are left for this owner's runs, oldest first."""
        left = [one for kept in self._owned() for one in kept.requests]
        return [request for _, request in sorted(left, key=lambda one: one[0])]

    async def save_workflow(self, caller: str, workflow: Workflow, now: float, *, overwrite: bool) -> SavedWorkflow:
        """Keep a workflow under its name. Raises `ConflictError` where another one has it, unless `overwrite`."""
        place = (caller, workflow.name)
        saved = next_version(self._shelf.saved.get(place), caller, workflow, now, overwrite=overwrite)
        self._shelf.saved[place] = saved
        self._tell_others()
        return saved

    async def workflow(self, caller: str, name: str) -> SavedWorkflow | None:
        """A caller's workflow of that name, or nothing."""
        return self._shelf.saved.get((caller, name))

    async def workflows(self, caller: str) -> Sequence[SavedWorkflow]:
        """All saved workflows of a caller, by name."""
        return [saved for (owner, _), saved in sorted(self._shelf.saved.items()) if owner == caller]

    async def workflows_state(self) -> str:
        """Something that is another after anybody has saved, changed or deleted a workflow."""
        saved = self._shelf.saved.values()
        return repr([(kept.caller, kept.name, kept.version, kept.updated_at) for kept in saved])

    async def delete_workflow(self, caller: str, name: str) -> bool:
        """Forget a workflow; whether there was one."""
        deleted = self._shelf.saved.pop((caller, name), None) is not None
        if deleted:
            self._tell_others()
        return deleted

    def _write(self, change: Change) -> Committed:
        kept = self._shelf.runs.get(change.run_id)
        run = change.run
        if change.new:
            assert run is not None
            rival = self._shelf.rival(run)
            if rival is not None:
                return conflict(run, rival)
            kept = self._shelf.add(run, self._owner.id)
        if kept is None:
            return no_run(change.run_id)
        if not change.new and change.epoch != kept.row.epoch:
            return lost(change.run_id, kept.row.epoch, change.epoch)
        self._shelf.write(kept, change)
        seq = len(kept.events)
        if change.frees:
            kept.owner = None
        if run is not None:
            self._become(kept, run, new=change.new)
        return seq

    def _become(self, kept: StoredRun, run: RunRow, *, new: bool) -> None:
        ends = run.state in OVER and (new or not kept.over)
        kept.update(run)
        if ends:
            kept.requests.clear()
            self._end(kept)

    def _end(self, kept: StoredRun) -> None:
        """Note a run that is over, and forget the first ones that are now too many."""
        if kept.row.parent_id is None:
            self._over.append(kept)
        for _ in range(len(self._over) - self._keep):
            oldest = self._over.popleft()
            if self._shelf.runs.get(oldest.row.id) is oldest and not self._forget(oldest):
                self._over.append(oldest)  # a child of it is still being stopped

    def _forget(self, kept: StoredRun) -> bool:
        family = self._shelf.family(kept)
        if all(one.over for one in family):
            self._shelf.forget(family)
            return True
        return False

    def _forget_expired(self, now: float) -> None:
        for digest, entries in list(self._shelf.cache.items()):
            for place in [place for place, expires_at in entries.items() if expires_at <= now]:
                del entries[place]
            if not entries:
                del self._shelf.cache[digest]

    def _owned(self) -> list[StoredRun]:
        return [kept for kept in self._shelf.runs.values() if kept.owner == self._owner.id and not kept.over]

    def _living(self) -> frozenset[str]:
        return self._shelf.living(self._owner, self._uptime(), self._lease)

    def _tell_others(self) -> None:
        if len(self._shelf.present) > 1:
            loop = asyncio.get_running_loop()  # anyio has nothing that calls back later without a task to own it
            for presence in self._shelf.present.values():
                if presence.owner != self._owner:
                    loop.call_soon(presence.changed)


def _backwards(kept: Sequence[StoredRun], end: int) -> Iterator[StoredRun]:
    return (kept[index] for index in range(end - 1, -1, -1))


def _head(kept: StoredRun) -> RunHead:
    run = kept.row
    return RunHead(
        id=run.id,
        caller=run.caller,
        name=run.workflow.name,
        state=kept.shown,
        created_at=run.created_at,
        finished_at=run.finished_at,
        failure=run.failure,
        parent_id=run.parent_id,
        parent_task=run.parent_task,
        resumed_from=run.resumed_from,
        digest=run.digest,
        owner=kept.owner,
    )
