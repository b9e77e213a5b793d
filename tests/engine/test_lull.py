"""The next lull of the loop: at once where nothing else is to be done, and in time where there is always something."""

from __future__ import annotations

import asyncio
import time
from itertools import count

import anyio
import pytest
from tests.loops import BOTH_LOOPS

from gleitzeit.engine.local import lull
from gleitzeit.engine.local.lull import Lull

pytestmark = [pytest.mark.anyio, pytest.mark.parametrize("anyio_backend", BOTH_LOOPS)]

TURNS = 20
LONG = 10 * lull.IDLE_TURN


class Busy:
    """Gives the loop something to do in each of so many turns; `turns` is how many it has had."""

    def __init__(self, turns: int = TURNS) -> None:
        self.turns = 0
        self._most = turns
        self._next()

    @property
    def over(self) -> bool:
        return self.turns == self._most

    def _next(self) -> None:
        if not self.over:
            asyncio.get_running_loop().call_soon(self._work)

    def _work(self) -> None:
        self.turns += 1
        until = time.perf_counter() + LONG
        while time.perf_counter() < until:
            pass
        self._next()


async def test_it_comes_once_however_often_it_is_expected() -> None:
    calls, came = list[None](), asyncio.Event()

    def act() -> None:
        calls.append(None)
        came.set()

    waited = Lull(act)
    for _ in range(2):
        for _ in range(3):
            waited.expect()
        with anyio.fail_after(5):
            await came.wait()
        came.clear()
    assert len(calls) == 2


async def test_it_waits_for_what_the_loop_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lull, "PATIENCE", 60.0)
    came, busy = anyio.Event(), Busy()
    seen: list[bool] = []

    def act() -> None:
        seen.append(busy.over)
        came.set()

    Lull(act).expect()
    with anyio.fail_after(5):
        await came.wait()
    assert seen == [True]


async def test_a_loop_that_never_rests_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lull, "PATIENCE", 0.0)
    came, busy = anyio.Event(), Busy(1_000)
    Lull(came.set).expect()
    with anyio.fail_after(5):
        await came.wait()
    assert not busy.over


async def test_where_every_turn_is_slow_it_learns_what_an_idle_one_is() -> None:
    now = count(0, 3 * lull.IDLE_TURN)
    looks: list[float] = []

    def slow_clock() -> float:
        looks.append(next(now))
        return looks[-1]

    took: list[int] = []
    came = asyncio.Event()
    waited = Lull(came.set, slow_clock)
    for _ in range(2):
        before = len(looks)
        waited.expect()
        with anyio.fail_after(5):
            await came.wait()
        came.clear()
        took.append(len(looks) - before)
    assert took[0] * 3 * lull.IDLE_TURN < lull.PATIENCE
    assert took == [pytest.approx(112, abs=3), 2]
