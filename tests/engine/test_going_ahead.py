"""What may be repeated begins before that is written; nobody hears of it before, and nothing else follows from it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

import anyio
import pytest
from tests.engine.conftest import Bench, World, workflow

from gleitzeit.core.errors import StoreError
from gleitzeit.core.models import Run
from gleitzeit.core.protocol import MethodSpec
from gleitzeit.engine.base import Submission
from gleitzeit.engine.local import LocalEngine, ahead
from gleitzeit.store.base import Change, Committed
from gleitzeit.store.memory import MemoryStore

pytestmark = pytest.mark.anyio

LOOK = {"id": "look", "method": "test/look"}
MAIL = {"id": "mail", "method": "test/mail"}


class Watched(MemoryStore):
    """Remembers which kinds of events each commit had, and keeps commits back until they are `let`."""

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[list[str]] = []
        self.let = anyio.Event()
        self.let.set()

    async def commit(self, changes: Sequence[Change]) -> Sequence[Committed]:
        await self.let.wait()
        self.commits.append([event.kind for change in changes for event in change.events])
        return await super().commit(changes)

    @property
    def durable(self) -> list[str]:
        """The kinds of all events that were written."""
        return [kind for kinds in self.commits for kind in kinds]


class Scene(Bench):
    """An engine whose provider declares `test/look` read-only, and nothing of `test/mail`; notes when each began."""

    def __init__(self) -> None:
        self.watched = Watched()
        super().__init__(lambda: self.watched)
        self.written: dict[str, list[str]] = {}
        self.gate = anyio.Event()
        self.gate.set()
        self.begun = anyio.Event()
        self.ended = anyio.Event()
        for name in ("look", "mail"):
            self.provider.functions[name] = self._carry_out
            self.provider.specs[name] = MethodSpec(name=f"test/{name}", read_only=name == "look")

    async def open(self) -> None:
        await self.start()
        for name in ("look", "mail"):
            await self.registry.describe(f"test/{name}")

    async def _carry_out(self, parameters: dict[str, Any]) -> Any:
        self.written[str(parameters.get("as", ""))] = self.watched.durable
        self.begun.set()
        try:
            await self.gate.wait()
        finally:
            self.ended.set()
        return {"done": True}


@pytest.fixture
async def scene(anyio_backend: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """Nothing is written only because it has waited long enough, however slow the machine is."""
    monkeypatch.setattr(ahead, "SECONDS", 60.0)
    made = Scene()
    await made.open()
    yield made
    await made.stop()


async def test_a_call_that_may_be_repeated_is_written_once_and_whole(scene: Scene) -> None:
    done = await scene.run([LOOK], patient=True)
    assert done.status == "completed"
    assert scene.written == {"": []}
    assert scene.watched.commits == [["run.submitted", "task.started", "task.completed", "run.completed"]]
    assert [event.kind for event in await scene.events(done.id)] == scene.watched.durable


async def test_whoever_is_not_patient_hears_of_the_run_before_anything_is_carried_out(scene: Scene) -> None:
    await scene.run([LOOK])
    assert scene.written == {"": ["run.submitted", "task.started"]}


async def test_what_must_not_be_repeated_begins_once_all_before_it_is_durable(scene: Scene) -> None:
    mail = {**MAIL, "dependencies": ["look"], "parameters": {"as": "mail"}}
    await scene.run([LOOK, mail], patient=True)
    assert scene.written["mail"] == ["run.submitted", "task.started", "task.completed", "task.started"]
    scene.written.clear()
    await scene.run([MAIL], patient=True)
    assert scene.written[""][-2:] == ["run.submitted", "task.started"]


@pytest.mark.parametrize(
    ("spec", "calls"),
    [
        (MethodSpec(name="test/look", idempotent=True), ()),  # its parameters may come from what is not written yet
        (MethodSpec(name="test/look", read_only=True), ("test/mail",)),
        (MethodSpec(name="test/look", read_only=True, calls=("test/*",)), ()),
    ],
)
async def test_what_may_do_more_than_read_begins_once_that_is_durable(
    scene: Scene, spec: MethodSpec, calls: Sequence[str]
) -> None:
    scene.provider.specs["look"] = spec
    scene.registry.register_provider("test/v1", scene.provider)  # what was said of its methods may not hold any more
    await scene.registry.describe("test/look")
    await scene.run([{**LOOK, "calls": calls}], patient=True)
    assert scene.written == {"": ["run.submitted", "task.started"]}


async def test_a_task_like_one_before_finds_its_result_although_nothing_had_to_be_written(scene: Scene) -> None:
    cached = {**LOOK, "cache": {"ttl": 60}}
    done = await scene.run([cached, {**cached, "id": "same", "dependencies": ["look"]}], patient=True)
    assert done.tasks["same"].metadata["cached"] is True


async def test_a_run_that_is_closed_ends_once(scene: Scene) -> None:
    scene.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: scene.submit([LOOK], patient=True, run_id="r"))
        await scene.begun.wait()
        await scene.engine.cancel("r")
    assert scene.watched.commits == [["run.submitted", "task.started", "task.cancelled", "run.cancelled"]]


async def test_a_run_whose_submission_is_given_up_does_not_go_on(scene: Scene) -> None:
    scene.gate = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: scene.submit([LOOK], patient=True, run_id="r"))
        await scene.begun.wait()
        group.cancel_scope.cancel()
    with anyio.fail_after(5):
        assert (await scene.engine.wait("r")).status == "cancelled"
        await scene.ended.wait()


async def test_what_waits_is_written_soon_although_its_task_goes_on(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ahead, "SECONDS", 0.005)
    scene.gate = anyio.Event()
    with anyio.fail_after(5):
        run = await scene.submit([LOOK], patient=True)
    assert scene.watched.commits == [["run.submitted", "task.started"]]
    assert (await scene.engine.get(run.id)).tasks["look"].status == "running"
    scene.gate.set()
    assert (await scene.engine.wait(run.id)).status == "completed"


async def test_a_run_of_which_nothing_is_durable_is_no_run_yet(scene: Scene) -> None:
    scene.watched.let = anyio.Event()
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: scene.submit([LOOK], patient=True, run_id="early"))
        await scene.ended.wait()
        await anyio.wait_all_tasks_blocked()
        assert (await scene.engine.list()).runs == []
        scene.watched.let.set()
    assert [run.id for run in (await scene.engine.list()).runs] == ["early"]


async def test_a_run_with_a_key_begins_once_it_is_known_to_be_the_first(scene: Scene) -> None:
    first = await scene.run([LOOK], patient=True, idempotency_key="k")
    assert scene.written == {"": ["run.submitted", "task.started"]}
    scene.written.clear()
    assert (await scene.run([LOOK], patient=True, idempotency_key="k")).id == first.id
    assert scene.written == {}


async def test_a_task_that_began_is_stopped_where_its_run_can_not_be_written(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(_: Sequence[Change]) -> Sequence[Committed]:
        raise StoreError("the disk is full")

    scene.gate = anyio.Event()
    monkeypatch.setattr(ahead, "SECONDS", 0.005)
    monkeypatch.setattr(scene.watched, "commit", fail)
    with anyio.fail_after(5), pytest.raises(StoreError, match="full"):
        await scene.submit([LOOK], patient=True)
    with anyio.fail_after(5):
        await scene.ended.wait()
    monkeypatch.undo()
    scene.gate.set()
    done = await scene.run([LOOK], patient=True)
    assert [(run.id, run.status) for run in (await scene.engine.list()).runs] == [(done.id, "completed")]


async def test_what_waits_when_the_engine_ends_is_written(scene: Scene) -> None:
    scene.gate = anyio.Event()
    found: list[Run] = []
    store = Watched()

    async def submit(engine: LocalEngine) -> None:
        found.append(await engine.submit(Submission(workflow([LOOK]), patient=True)))

    async with anyio.create_task_group() as group, LocalEngine(scene.registry, store) as engine:
        group.start_soon(submit, engine)
        await scene.begun.wait()
    assert store.durable[:2] == ["run.submitted", "task.started"]
    assert [run.status for run in found] == ["running"]


async def test_a_run_that_was_found_again_begins_nothing_before_it_is_written(world: World) -> None:
    gate = anyio.Event()
    attempts: list[int] = []

    async def look(_: dict[str, Any]) -> Any:
        async with world.opened() as store:
            snapshot = await store.load("r")
            assert snapshot is not None
            attempts.append(snapshot.tasks["look"].attempts)
        await gate.wait()

    world.method(look)
    async with world.process() as one:
        run = await one.submit(Submission(workflow([LOOK]), run_id="r", patient=True))
        await anyio.wait_all_tasks_blocked()
    gate.set()
    async with world.process() as two:
        assert (await two.wait(run.id)).status == "completed"
    assert attempts == [1, 2]
