"""What leaves a task group."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest

from gleitzeit.core.groups import only_error, unwrapped

pytestmark = pytest.mark.anyio


def test_the_only_error_is_found_however_deep_it_lies() -> None:
    error = ValueError("x")
    assert only_error(ExceptionGroup("a", [ExceptionGroup("b", [error])])) is error
    assert only_error(error) is error


def test_a_group_of_several_errors_stays_one() -> None:
    several = ExceptionGroup("b", [ValueError("x"), KeyError("y")])
    assert only_error(ExceptionGroup("a", [several])) is several


async def test_an_error_of_the_body_leaves_as_it_is_once_the_tasks_have_ended() -> None:
    told: list[str] = []
    wanted = anyio.Event()

    async def work() -> None:
        await wanted.wait()
        told.append("done")

    async def fail() -> None:
        async with unwrapped(anyio.create_task_group()) as group:
            group.start_soon(work)
            wanted.set()
            raise error

    error = ValueError("body")
    with pytest.raises(ValueError, match="body") as caught:
        await fail()
    assert caught.value is error
    assert told == ["done"]


async def test_an_error_of_a_task_still_leaves_as_a_group() -> None:
    async def work() -> None:
        raise KeyError("task")

    with pytest.raises(ExceptionGroup) as caught:
        async with unwrapped(anyio.create_task_group()) as group:
            group.start_soon(work)
    assert isinstance(only_error(caught.value), KeyError)


async def test_the_error_of_the_body_goes_before_one_of_leaving() -> None:
    @asynccontextmanager
    async def closing_badly() -> AsyncGenerator[int]:
        yield 1
        raise OSError("closing")

    with pytest.raises(ValueError, match="body") as caught:
        async with unwrapped(closing_badly()):
            raise ValueError("body")
    assert isinstance(caught.value.__context__, OSError)
    with pytest.raises(OSError, match="closing"):
        async with unwrapped(closing_badly()):
            pass


async def test_cancellation_passes_through() -> None:
    with anyio.move_on_after(0) as scope:
        async with unwrapped(anyio.create_task_group()):
            await anyio.sleep_forever()
    assert scope.cancelled_caught
