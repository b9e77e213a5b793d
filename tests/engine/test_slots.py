"""Slots and alarms: what all runs of a process share."""

from __future__ import annotations

import time
from functools import partial

import anyio
import pytest

from gleitzeit.engine.local.alarms import Alarms
from gleitzeit.engine.local.slots import Slots

pytestmark = pytest.mark.anyio


def test_slots_are_given_in_the_order_in_which_they_are_asked_for() -> None:
    slots, given = Slots(1), list[str]()

    def later(name: str) -> bool:
        given.append(name)
        return name != "has gone"

    assert slots.take("me", "r", lambda: later("first"))
    assert not slots.take("me", "r", lambda: later("has gone"))
    assert not slots.take("me", "r", lambda: later("second"))
    slots.release("me")
    assert given == ["has gone", "second"]
    slots.release("me")
    assert slots.take("me", "r", lambda: later("third"))


async def test_who_comes_back_to_a_slot_goes_first_and_a_cancelled_wait_takes_none() -> None:
    slots, order = Slots(1), list[str]()
    assert slots.take("me", "r", lambda: True)

    def new() -> bool:
        order.append("new")
        return True

    assert not slots.take("me", "r", new)

    async def come_back() -> None:
        await slots.regain("me")
        order.append("old")

    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(come_back)
            await anyio.wait_all_tasks_blocked()
            slots.release("me")
            await anyio.wait_all_tasks_blocked()
            assert order == ["old"]
            slots.release("me")
            assert order == ["old", "new"]
            with anyio.move_on_after(0.01):
                await slots.regain("me")
            slots.release("me")
            await slots.regain("me")


def test_of_several_runs_each_gets_a_slot_before_any_gets_another() -> None:
    slots, given = Slots(1), list[str]()

    def later(name: str) -> bool:
        given.append(name)
        return True

    assert slots.take("me", "large", lambda: True)
    for number in range(3):
        assert not slots.take("me", "large", partial(later, f"large {number}"))
    assert not slots.take("me", "small", lambda: later("small"))
    for _ in range(4):
        slots.release("me")
    assert given == ["large 0", "small", "large 1", "large 2"]


def test_without_a_limit_there_is_always_a_slot() -> None:
    slots = Slots(None)
    assert all(slots.take("me", "r", lambda: True) for _ in range(1_000))


async def test_alarms_go_off_in_time_and_in_order_unless_they_are_turned_off() -> None:
    alarms, rung, done = Alarms(), list[str](), anyio.Event()
    now = time.monotonic()
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(alarms.keep)
            await anyio.wait_all_tasks_blocked()
            alarms.at(now + 0.03, done.set)
            alarms.at(now + 0.02, lambda: rung.append("second"))
            alarms.at(now + 0.01, lambda: rung.append("first"))
            alarms.at(now + 0.015, lambda: rung.append("never")).turn_off()
            await done.wait()
            group.cancel_scope.cancel()
    assert rung == ["first", "second"]
    assert time.monotonic() - now >= 0.03


def test_alarms_that_were_turned_off_are_forgotten() -> None:
    alarms = Alarms()
    kept = alarms.at(time.monotonic() + 60, lambda: None)
    for _ in range(10_000):
        alarms.at(time.monotonic() + 300, lambda: None).turn_off()
    assert len(alarms._heap) < 200  # pyright: ignore[reportPrivateUsage] - nothing else shows it
    assert kept.on
