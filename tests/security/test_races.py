"""Whenever a job ends, is cancelled or dies, nothing of it stays, and nothing of it comes to the next one."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.security.broker import Broker, brokered, frame, in_time
from tests.security.conftest import WHOLE, Runners
from tests.security.runners import NOBODY, SELF, Place

from gleitzeit.core.errors import GleitzeitError, ProviderError

KIND = "races, reuse, leaks, the end of the server"
ROUNDS = 60 if WHOLE else 20
JOBS = 200

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(sys.platform != "linux", reason="the tiers ns and ll need Linux"),
    pytest.mark.timeout(180),
]


@pytest.fixture
async def broker(tier: str, tmp_path: Path) -> AsyncIterator[Broker]:
    async with brokered(tmp_path, tier=tier, workers=1) as made:
        yield made


def moments(end: float) -> list[float]:
    """Times to cut something off at, from its begin until after its usual end."""
    return [number * end / ROUNDS for number in range(ROUNDS)]


async def test_cancelled_at_any_moment_the_place_is_free_again(broker: Broker) -> None:
    done = [await in_time(lambda: broker.run("result = 1"), seconds) for seconds in moments(0.02)]
    await broker.works()
    assert len(done) == ROUNDS


async def test_cancelled_while_a_call_runs_the_call_ends_too(broker: Broker) -> None:
    async def never(method: str, parameters: Mapping[str, Any]) -> Any:
        await anyio.sleep_forever()

    broker.engine.answer = never
    for code in (
        "await call('a/b')",
        "call_sync('a/b')",
        "import asyncio as io\nawait io.gather(call('a/b'), call('a/b'))",
    ):
        assert not await in_time(partial(broker.run, code), 0.2)
        assert broker.engine.in_flight == 0
        await broker.works()


async def test_cancelled_just_when_calls_are_answered_nothing_hangs(broker: Broker) -> None:
    code = "import asyncio\nawait asyncio.gather(*[call('a/b', n=n) for n in range(20)])"
    for seconds in moments(0.04):
        await in_time(lambda: broker.run(code), seconds)
        assert broker.engine.in_flight == 0
    await broker.works()


async def test_cancelled_while_files_are_sent_none_is_kept(broker: Broker) -> None:
    code = "for n in range(14): open(f'{n}.bin', 'wb').write(bytes(500_000))\nprogress(1)"
    finished = 0
    for seconds in moments(0.12):
        finished += await in_time(lambda: broker.run(code, artifacts=["*.bin"]), seconds)
        assert list(broker.root.rglob(".*")) == []
    await broker.works()
    assert (await broker.run(code, artifacts=["*.bin"]))["artifacts"][13]["size"] == 500_000


async def test_an_answer_that_comes_too_late_goes_to_nobody(broker: Broker) -> None:
    """The calls of both jobs have the same ids, and most likely the same descriptors."""
    late = anyio.Event()

    async def slow(method: str, parameters: Mapping[str, Any]) -> Any:
        if parameters["job"] == 1:
            with anyio.CancelScope(shield=True):
                await late.wait()
        return parameters

    broker.engine.answer = slow
    answers: list[Any] = []

    async def second() -> None:
        answers.append(await broker.run("result = [await call('a/b', job=2, n=n) for n in range(20)]"))

    async with anyio.create_task_group() as group:
        group.start_soon(_after, 0.3, late)
        with pytest.raises(GleitzeitError):
            await broker.run("call_sync('a/b', job=1)", timeout=0.1)
        group.start_soon(second)
    assert answers == [{"result": [{"job": 2, "n": n} for n in range(20)]}]


async def _after(seconds: float, event: anyio.Event) -> None:
    await anyio.sleep(seconds)
    event.set()


async def test_nothing_of_a_job_is_there_for_the_next_one(broker: Broker) -> None:
    code = """
import builtins, gleitzeit_sandbox, json, random, sys, tempfile
seen = [name for name in ("mark",) for place in (builtins, json, sys, gleitzeit_sandbox) if hasattr(place, name)]
seen += [place for place in (os.getcwd(), tempfile.gettempdir()) if os.listdir(place)]
seen += [name for name in os.environ if name.startswith("MARK")]
seen += [number for number in (0, 1, 2, 3) if os.get_inheritable(number)]
for place in (builtins, json, sys, gleitzeit_sandbox): place.mark = 1
for place in (os.getcwd(), tempfile.gettempdir()): open(os.path.join(place, "mark"), "w").close()
os.environ["MARK"] = "1"
result = {"seen": seen, "chance": [random.random(), __import__("uuid").uuid4().hex]}
"""
    results = [await broker.run(code, env={"MARK_OF_ONE": "1"} if number == 0 else {}) for number in range(5)]
    assert [result["seen"] for result in results] == [["MARK_OF_ONE"], [], [], [], []]
    assert len({str(result["chance"]) for result in results}) == 5


async def test_jobs_of_all_ends_leave_no_descriptor_and_no_task(broker: Broker) -> None:
    ends = (
        "result = 1",
        "result = await call('a/b')",
        "1 / 0",
        "os._exit(3)",
        frame(id=1, call="a/b", parameters={}) + "os._exit(0)",
        "send(b'garbage')",
        "os.write(1, bytes(300_000))",
        "open('f.txt', 'w').write('x')",
    )

    async def run(code: str) -> None:
        with suppress(GleitzeitError):
            await broker.run(code, artifacts=["*.txt"])

    for code in ends:
        await run(code)
    before = await _settled(broker)
    for number in range(JOBS):
        await run(ends[number % len(ends)])
        if number % 20 == 0:
            await in_time(lambda: broker.run("wait()"), 0.02)
    assert await _settled(broker) == before


async def _settled(broker: Broker) -> tuple[int, int]:
    """Descriptors and tasks, once the workers that stand by are there again."""
    pool = _pool_of(broker)
    with anyio.fail_after(20):
        while pool.standby < pool._size or pool._leaving or pool._retired or pool._zygote.jobs:  # noqa: ASYNC110
            await anyio.sleep(0.01)  # a pool tells nobody that it is full
    gc.collect()
    return _descriptors(), len(asyncio.all_tasks())


def _descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _pool_of(broker: Broker) -> Any:
    workshop = vars(broker.provider)["_workshop"]
    (held,) = [held for held in workshop.tiers._held.values() if held.sandbox is not None]
    return held.sandbox._pools["host"]


async def test_a_fork_server_that_dies_under_a_job_is_replaced(broker: Broker) -> None:
    """The job can be tried again."""
    errors: list[ProviderError] = []

    async def cut_off() -> None:
        with pytest.raises(ProviderError) as caught:
            await broker.run("progress(1)\nwait()")
        errors.append(caught.value)

    async with anyio.create_task_group() as group:
        group.start_soon(cut_off)
        await broker.engine.reported.wait()
        os.kill(_pool_of(broker).zygote.process.pid, signal.SIGKILL)
    assert errors[0].retryable
    await broker.works()


DEEP = """
for _ in range(900):
    os.mkdir("d", 0o700)
    os.chdir("d")
os.mkdir("closed", 0)
open("f", "w").close()
"""


@pytest.mark.parametrize("tier", ["ll"])
async def test_folders_that_are_made_to_last_are_removed(
    tier: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Deeper than a stack, longer than a path; what was left of them would keep the next server from starting."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    async with brokered(tmp_path, tier=tier) as broker:
        await broker.run(DEEP + "for _ in range(2000):\n    os.mkdir('d')\n    os.chdir('d')\nresult = 1")
        await broker.run(DEEP + "result = 1")
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    "place",
    [
        Place(tier, user)
        for user in (SELF, NOBODY)
        for tier in (("ns", "ll", "docker", "wasm") if WHOLE else ("ns", "ll"))
    ],
    ids=str,
)
def test_a_server_that_is_killed_leaves_nothing(place: Place, runners: Runners) -> None:
    """No process, no folder, no mount, no container, seen from another process."""
    code = "import time, tempfile\nopen('left', 'w').close()\ntempfile.mkdtemp()\nprogress(1)\ntime.sleep(60)"
    runner = runners.another(place)
    try:
        runner.ask(code, timeout=60)
        runner.wait_for_progress()
    finally:
        left = runner.kill()
    assert left == []
