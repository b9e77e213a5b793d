"""How many jobs run at once, and who is next."""

from __future__ import annotations

import anyio
import pytest

from gleitzeit_python.turns import Place, Turns

pytestmark = pytest.mark.anyio


async def test_runs_are_served_in_turn() -> None:
    turns, order = Turns(1), list[str]()
    await turns.enter("first")

    async def job(name: str) -> None:
        async with turns.place(name):
            order.append(name)

    async with anyio.create_task_group() as group:
        for name in ("large", "large", "large", "small"):
            group.start_soon(job, name)
        await anyio.wait_all_tasks_blocked()
        assert turns.waiting == 4
        turns.leave()
    assert order == ["large", "small", "large", "large"]


async def test_a_place_that_nobody_wants_any_more_goes_to_the_next() -> None:
    turns = Turns(1)
    await turns.enter("a")
    with anyio.move_on_after(0.01):
        await turns.enter("b")
    assert turns.waiting == 0
    turns.leave()
    with anyio.fail_after(1):
        await turns.enter("c")


async def test_a_place_is_lent_while_a_person_is_asked() -> None:
    turns = Turns(1)
    place, other = Place(turns, "a"), Place(turns, "b")
    with anyio.fail_after(1):
        async with place.held():
            async with place.lent(), other.held():
                pass
            assert turns.waiting == 0
        await turns.enter("c")
