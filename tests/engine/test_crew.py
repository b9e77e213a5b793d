"""The tasks that carry out work: as many as are needed, none of them spoiled, nothing forgotten."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ConflictError
from gleitzeit.engine.local.crew import Crew

pytestmark = pytest.mark.anyio


class Doing:
    """A job that does what it is told."""

    def __init__(self, do: Callable[[], Any]) -> None:
        self._do = do

    async def run(self) -> bool:
        answer = await self._do()
        return answer is not False


@pytest.fixture
async def crew(anyio_backend: str) -> AsyncIterator[Crew]:
    made = Crew()
    made.open()
    yield made
    await made.close()


async def test_jobs_that_wait_for_each_other_are_all_begun(crew: Crew) -> None:
    begun, all_begun = 0, anyio.Event()

    async def meet() -> None:
        nonlocal begun
        begun += 1
        if begun == 100:
            all_begun.set()
        await all_begun.wait()

    for _ in range(100):
        crew.give(Doing(meet))
    with anyio.fail_after(5):
        await crew.resting()
    assert begun == 100


async def test_jobs_that_never_wait_are_done_by_few(crew: Crew) -> None:
    tasks: set[Any] = set()

    async def note() -> None:
        tasks.add(asyncio.current_task())

    for _ in range(200):
        crew.give(Doing(note))
    with anyio.fail_after(5):
        await crew.resting()
    assert len(tasks) <= 2


async def test_what_is_given_later_and_from_inside_is_done(crew: Crew) -> None:
    done: list[int] = []

    async def give(number: int) -> None:
        done.append(number)
        if number < 50:
            crew.give(Doing(lambda: give(number + 1)))

    for _ in range(3):
        crew.give(Doing(lambda: give(0)))
        with anyio.fail_after(5):
            await crew.resting()
    assert len(done) == 3 * 51


@pytest.mark.parametrize("harm", ["raises", "says so", "cancels its task"])
async def test_a_job_that_spoils_its_task_costs_no_other_job(
    crew: Crew, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    done: list[int] = []

    async def bad() -> Any:
        if harm == "raises":
            raise LookupError("a defect")
        if harm == "cancels its task":
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
        return harm != "says so"

    async def good() -> None:
        done.append(1)

    for _ in range(20):
        crew.give(Doing(bad))
        crew.give(Doing(good))
    with anyio.fail_after(5):
        await crew.resting()
    assert len(done) == 20
    assert ("LookupError" in caplog.text) == (harm == "raises")


async def test_closing_ends_what_is_under_way_and_takes_nothing_more(crew: Crew) -> None:
    begun, stopped = anyio.Event(), anyio.Event()

    async def hang() -> None:
        begun.set()
        try:
            await anyio.sleep_forever()
        finally:
            stopped.set()

    crew.give(Doing(hang))
    await begun.wait()
    with anyio.fail_after(5):
        await crew.close()
    assert stopped.is_set()
    with pytest.raises(ConflictError):
        crew.give(Doing(hang))
