"""How many requests of code are carried out at once, and in which order."""

from __future__ import annotations

import anyio
import pytest

from gleitzeit_python.broker.crew import Crew

pytestmark = pytest.mark.anyio


class Bench:
    """Holds up whoever carries something out, until it is let go."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.ended: list[int] = []
        self.gates = [anyio.Event() for _ in range(10)]

    async def carry_out(self, number: int) -> None:
        self.begun.append(number)
        await self.gates[number].wait()
        self.ended.append(number)


async def test_no_more_are_carried_out_at_once_than_the_crew_has_members_and_the_others_come_in_their_order() -> None:
    bench = Bench()
    async with anyio.create_task_group() as group:
        crew = Crew(group, 2, bench.carry_out)
        for number in range(4):
            crew.take(number)
        await anyio.wait_all_tasks_blocked()
        assert bench.begun == [0, 1]
        bench.gates[1].set()
        await anyio.wait_all_tasks_blocked()
        assert bench.begun == [0, 1, 2]
        bench.gates[0].set()
        await anyio.wait_all_tasks_blocked()
        assert bench.begun == [0, 1, 2, 3]
        group.cancel_scope.cancel()


async def test_who_has_nothing_to_do_takes_what_comes_later() -> None:
    bench = Bench()
    for gate in bench.gates:
        gate.set()
    async with anyio.create_task_group() as group:
        crew = Crew(group, 2, bench.carry_out)
        for number in range(10):
            crew.take(number)
            if number % 3 == 2:
                await anyio.wait_all_tasks_blocked()
        await anyio.wait_all_tasks_blocked()
        assert bench.ended == list(range(10))
        group.cancel_scope.cancel()
