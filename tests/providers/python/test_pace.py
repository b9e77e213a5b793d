"""A crowd of requests begins bit by bit, and nobody is forgotten."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from gleitzeit_python.pace import Pace

pytestmark = pytest.mark.anyio


async def begun_by_turn(pace: Pace, number: int) -> list[int]:
    """How many of a crowd have begun after each turn of the loop, until all have."""
    begun = 0
    counts: list[int] = []

    async def begin() -> None:
        nonlocal begun
        await pace.begin()
        begun += 1

    async with anyio.create_task_group() as group:
        for _ in range(number):
            group.start_soon(begin)
        with anyio.fail_after(5):
            while begun < number:
                await asyncio.sleep(0)
                counts.append(begun)
    return counts


async def test_a_crowd_begins_over_several_turns() -> None:
    counts = await begun_by_turn(Pace(), 100)
    assert max(later - before for before, later in zip([0, *counts], counts, strict=False)) <= 20


async def test_a_few_begin_at_once() -> None:
    pace = Pace()
    for _ in range(3):
        assert await begun_by_turn(pace, 5) == [5]


async def test_who_gives_up_meanwhile_holds_nobody_up() -> None:
    pace = Pace()
    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(pace.begin)
        await asyncio.sleep(0)
        group.cancel_scope.cancel()
    assert await begun_by_turn(pace, 30)
