"""Several calls as one: in order, each failure its own, within the room that there is."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest
from tests.providers.ollama.calls.memory_pool import MemoryPool

from gleitzeit.core.errors import CancelledError, ProviderError, ProviderUnavailableError, ValidationError
from gleitzeit.providers.base import TaskContext
from gleitzeit_ollama.calls.batch import each
from gleitzeit_ollama.calls.spreading import ItemProgress, room

pytestmark = pytest.mark.anyio


async def test_results_are_in_the_order_of_the_items_however_they_end() -> None:
    ended = [anyio.Event() for _ in range(4)]

    async def one(index: int, item: str) -> dict[str, Any]:
        if index < 3:
            await ended[index + 1].wait()
        ended[index].set()
        return {"response": item.upper()}

    with anyio.fail_after(5):
        assert await each(["a", "b", "c", "d"], one, 4) == {"results": [{"response": word} for word in "ABCD"]}


async def test_a_failure_is_its_items_own(task: TaskContext, reports: list[Any]) -> None:
    async def one(index: int, item: int) -> dict[str, Any]:
        if item == 2:
            raise ProviderError("it broke", hint="mend it")
        return {"value": item}

    result = await each([1, 2, 3], one, 2)
    error = {"code": "provider_failed", "message": "it broke", "hint": "mend it", "retryable": True}
    assert result == {"results": [{"value": 1}, {"error": error}, {"value": 3}]}
    assert task.metadata["failed_items"] == 1
    assert reports[-1][:2] == (3, 3)


async def test_a_batch_in_which_all_fail_fails() -> None:
    async def one(index: int, item: str) -> dict[str, Any]:
        raise ValidationError(f"{item} is wrong") if item == "a" else ProviderUnavailableError("gone")

    with pytest.raises(ValidationError, match="all 2 items failed, the first: a is wrong") as raised:
        await each(["a", "b"], one, 1)
    assert raised.value.retryable  # for one of them is
    with pytest.raises(ProviderUnavailableError, match=r"^gone$"):
        await each(["b"], one, 1)


async def test_no_items_are_no_results() -> None:
    async def one(index: int, item: str) -> dict[str, Any]:
        raise AssertionError

    assert await each([], one, 3) == {"results": []}


async def test_no_more_are_carried_out_at_once_than_there_is_room_for() -> None:
    running, most, width = 0, 0, 2

    async def one(index: int, item: int) -> dict[str, Any]:
        nonlocal running, most, width
        running += 1
        most = max(most, running)
        assert running <= width
        await anyio.lowlevel.checkpoint()
        await anyio.lowlevel.checkpoint()
        running -= 1
        if index == 20:
            width = 5  # more nodes are known by now
        return {}

    await each(range(100), one, lambda: width)
    assert most == 5


async def test_a_batch_never_overruns_the_queue_of_the_pool() -> None:
    assert room(MemoryPool(count=4), "tiny:latest", max_queue=512)() == 20
    assert room(MemoryPool(count=4), "tiny:latest", max_queue=1)() == 5
    assert room(MemoryPool(count=4), "tiny:latest", max_queue=0)() == 4


async def test_cancelling_ends_all_items() -> None:
    begun, ended = 0, 0
    both = anyio.Event()

    async def one(index: int, item: int) -> dict[str, Any]:
        nonlocal begun, ended
        begun += 1
        if begun == 2:
            both.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended += 1
        return {}

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(each, range(10), one, 2)
        await both.wait()
        tasks.cancel_scope.cancel()
    assert begun == ended == 2


@pytest.mark.parametrize("error", [CancelledError("somebody cancelled it"), KeyError("a defect")])
async def test_what_is_no_failure_of_an_item_ends_the_batch_as_it_is(error: Exception) -> None:
    async def one(index: int, item: int) -> dict[str, Any]:
        if index == 1:
            raise error
        await anyio.sleep_forever()
        return {}

    with anyio.fail_after(5), pytest.raises(type(error)) as raised:
        await each(range(4), one, 4)
    assert raised.value is error


async def test_progress_is_told_at_most_ten_times_a_second() -> None:
    now, told = 0.0, list[tuple[Any, Any]]()

    async def report(done: Any, total: Any, message: Any) -> None:
        told.append((done, total))

    progress = ItemProgress(report, 1000, clock=lambda: now)
    for _ in range(1000):
        now += 0.001
        await progress.add()
    assert told[0] == (1, 1000)
    assert told[-1] == (1000, 1000)
    assert 9 <= len(told) <= 12
