"""The time of a job, which stands still while a person is asked."""

from __future__ import annotations

import math

import anyio
import pytest

from gleitzeit_python.broker.clock import Clock

pytestmark = pytest.mark.anyio


async def test_time_runs_out() -> None:
    clock = Clock(0.05, lambda: 0.0)
    with anyio.fail_after(2):
        assert not await clock.until(anyio.sleep_forever)


async def test_what_is_over_in_time_is_in_time() -> None:
    assert await Clock(5, lambda: 0.0).until(anyio.lowlevel.checkpoint)


async def test_time_stands_still_while_somebody_is_asked_and_goes_on_after_it() -> None:
    waited, began = 0.0, anyio.current_time()
    clock = Clock(0.1, lambda: waited)

    async def answer() -> None:
        nonlocal waited
        await anyio.sleep(0.3)
        waited = 0.3
        clock.look()

    waited = math.inf
    with anyio.fail_after(2):
        async with anyio.create_task_group() as group:
            group.start_soon(answer)
            assert not await clock.until(anyio.sleep_forever)
    assert anyio.current_time() - began >= 0.39
