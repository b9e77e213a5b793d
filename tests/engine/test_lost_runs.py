"""A process that was stopped past its lease tells of a run it lost only what is so, and carries nothing of it out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Any

import anyio
import pytest
from tests.engine.conftest import FastClock, Functions

from gleitzeit.core.models import Run, Workflow
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import Resumption, Submission
from gleitzeit.engine.local import LocalEngine
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit.store.base import LEASE, Change, Committed, Owner, Snapshot
from gleitzeit.store.memory import MemoryStore

pytestmark = pytest.mark.anyio

NOW = 1_000.0
HELD = Submission(Workflow.model_validate({"tasks": [{"id": "a", "method": "test/held"}]}), {})


class Standing(FastClock):
    """Time does not go on by itself."""

    def uptime(self) -> float:
        return NOW


class Stoppable(MemoryStore):
    """The store of a process that is stopped past its lease, and that does not look yet whose its runs are by now."""

    def __init__(self) -> None:
        super().__init__(uptime=lambda: NOW)
        self.until = NOW + LEASE
        self.late = 0
        self.looking = anyio.Event()
        self.looking.set()
        self.loads = 0
        self.written = anyio.Event()
        self.told = anyio.Event()
        self.told.set()

    async def open(self, owner: Owner, changed: Callable[[], None] = lambda: None) -> None:
        self._changed = changed
        await super().open(owner, changed)

    @property
    def secured(self) -> float:
        return self.until

    @property
    def lapses(self) -> int:
        return self.late

    def stop(self, *, renewed: bool) -> None:
        """Go on after a while that was longer than the lease, which is `renewed` already or not yet."""
        self.looking = anyio.Event()
        self.until = NOW + LEASE if renewed else NOW - 1.0
        self.late += renewed

    def look(self) -> None:
        """Look again whose the runs are."""
        self.looking.set()
        self._changed()

    async def owned(self) -> Mapping[str, int]:
        await self.looking.wait()
        return await super().owned()

    async def load(self, run_id: str) -> Snapshot | None:
        self.loads += 1
        return await super().load(run_id)

    async def commit(self, changes: Sequence[Change]) -> Sequence[Committed]:
        outcomes = await super().commit(changes)
        self.written.set()
        await self.told.wait()
        return outcomes


class Pair:
    """A process that may be stopped, and one that takes its runs over when it is told to."""

    def __init__(self, *, renewed: bool) -> None:
        self.store = Stoppable()
        self.provider = Functions()
        self.provider.functions["held"] = self._held
        self.begun = anyio.Event()
        self.gate = anyio.Event()
        self.calls = 0
        self.stopped: LocalEngine
        self._other: LocalEngine
        self._renewed = renewed
        self._registry = ProtocolProviderRegistry()
        self._registry.register_provider("test/v1", self.provider)
        self._stack = AsyncExitStack()

    async def open(self) -> None:
        await self._stack.enter_async_context(self._registry.running())
        self.stopped = await self._enter(self.store)
        self._other = await self._enter(MemoryStore(peer=self.store, uptime=lambda: NOW + 2 * LEASE))

    async def submit(self) -> Run:
        """A run whose task is being carried out by the first process."""
        run = await self.stopped.submit(HELD)
        await self.begun.wait()
        return run

    async def lose(self, run_id: str) -> Run:
        """What becomes of the run in the other process, while the first one has not noticed yet."""
        self.store.stop(renewed=self._renewed)
        await self._other.resume(run_id, Resumption())
        with anyio.fail_after(5):
            return await self._other.wait(run_id)

    async def close(self) -> None:
        await self._stack.aclose()

    async def _enter(self, store: MemoryStore) -> LocalEngine:
        engine = LocalEngine(self._registry, store, clock=Standing(), recover=False)
        return await self._stack.enter_async_context(engine)

    async def _held(self, _: dict[str, Any]) -> Any:
        self.calls += 1
        self.begun.set()
        await self.gate.wait()


@pytest.fixture(params=[False, True], ids=["lapsed", "renewed"])
async def pair(anyio_backend: str, request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    made = Pair(renewed=request.param)
    await made.open()
    yield made
    await made.close()


async def test_a_run_that_was_taken_over_is_told_as_it_is_there(pair: Pair) -> None:
    run = await pair.submit()
    waiting = await pair.lose(run.id)
    assert (waiting.status, waiting.tasks["a"].status) == ("waiting", "unknown")
    assert await pair.stopped.get(run.id) == waiting
    with anyio.fail_after(5):
        assert await pair.stopped.wait(run.id) == waiting


async def test_a_run_that_was_taken_over_is_resumed_as_it_is_there(pair: Pair) -> None:
    run = await pair.submit()
    await pair.lose(run.id)
    resumed = await pair.stopped.resume(run.id, Resumption(unknown={"a": "completed"}))
    with anyio.fail_after(5):
        assert (await pair.stopped.wait(resumed.id)).status == "completed"


async def test_a_run_that_was_taken_over_is_cancelled_as_it_is_there(pair: Pair) -> None:
    run = await pair.submit()
    await pair.lose(run.id)
    with anyio.fail_after(5):
        assert (await pair.stopped.cancel(run.id)).status == "cancelled"


async def test_a_task_that_was_about_to_begin_is_not_carried_out_where_its_run_was_lost(pair: Pair) -> None:
    pair.provider.specs["held"] = MethodSpec("test/held", idempotent=True)
    pair.gate.set()
    pair.store.told = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(pair.stopped.submit, HELD)
        await pair.store.written.wait()
        [run] = (await pair.stopped.list()).runs
        done = await pair.lose(run.id)
        pair.store.told.set()
        with anyio.fail_after(5):
            assert await pair.stopped.wait(run.id) == done
        await anyio.wait_all_tasks_blocked()
        assert (done.status, pair.calls) == ("completed", 1)


async def test_a_run_is_told_without_a_read_while_it_is_certainly_here(pair: Pair) -> None:
    run = await pair.submit()
    assert (await pair.stopped.get(run.id)).tasks["a"].status == "running"
    assert pair.store.loads == 0
    pair.store.stop(renewed=True)
    for reads in (1, 2):
        assert (await pair.stopped.get(run.id)).tasks["a"].status == "running"
        assert pair.store.loads == reads
    pair.store.look()
    await anyio.wait_all_tasks_blocked()
    assert (await pair.stopped.get(run.id)).tasks["a"].status == "running"
    assert pair.store.loads == 2
