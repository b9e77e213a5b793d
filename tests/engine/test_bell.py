"""Waiting for what becomes of a run: until it comes, or as long as one likes."""

from __future__ import annotations

import anyio
import pytest

from gleitzeit.engine.bell import Bell, Bells
from gleitzeit.engine.waiters import Waiters

pytestmark = pytest.mark.anyio


async def test_all_who_wait_are_told_and_each_no_longer_than_it_likes() -> None:
    waiters, told, first = Waiters(), dict[str, bool](), anyio.Event()

    async def wait(name: str, timeout: float | None) -> None:
        told[name] = await waiters.wait(timeout)
        first.set()

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, "short", 0.001)
            for name in ("one", "two"):
                tasks.start_soon(wait, name, None)
            tasks.start_soon(wait, "long", 60.0)
            await first.wait()
            waiters.wake()
    assert told == {"short": False, "one": True, "two": True, "long": True}


@pytest.mark.parametrize("timeout", [0, -1])
async def test_who_has_no_time_is_told_at_once(timeout: float) -> None:
    with anyio.fail_after(5):
        assert not await Waiters().wait(timeout)


async def test_whoever_is_cancelled_waits_no_more() -> None:
    waiters = Waiters()
    with anyio.move_on_after(0.001):
        await waiters.wait()
    waiters.wake()
    with anyio.move_on_after(0.001) as scope:
        await waiters.wait()
    assert scope.cancelled_caught, "what was told before is over"


async def test_a_bell_rings_for_those_who_have_not_heard_it() -> None:
    bell = Bell()
    bell.ring()
    with anyio.fail_after(5):
        assert await bell.rung(0)
        assert not await bell.rung(1, 0.001)


async def test_a_pause_is_silence_or_a_question() -> None:
    bell = Bell()
    with anyio.fail_after(5):
        assert not await bell.pause(0.001)
        bell.call(True)
        assert await bell.pause()
        assert not await bell.silence(0.001)
        bell.call(False)
        assert not await bell.pause(0.001)
        bell.fall_silent()
        assert await bell.pause()
        assert await bell.silence()


async def test_a_bell_is_there_as_long_as_somebody_listens() -> None:
    bells = Bells()
    heard = bells.of("r")
    bells.ring("r")
    bells.ring_all()
    assert bells.of("r") is heard
    assert heard.rings == 2
