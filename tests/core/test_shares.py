"""Who is next, and who may have one more."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from gleitzeit.core.shares import Room, Turns


def order(turns: Turns[str], held: dict[str, int] | None = None) -> list[str]:
    """In what order all that wait get their turns, where each then holds what it got."""
    for caller, count in (held or {}).items():
        for _ in range(count):
            turns.hold(caller)
    found: list[str] = []
    while (following := turns.next()) is not None:
        caller, waiter = following
        turns.hold(caller)
        found.append(waiter)
    return found


def test_whoever_holds_least_is_next() -> None:
    turns = Turns[str]()
    for number in range(3):
        turns.wait("much", "r", f"much {number}")
    turns.wait("little", "r", "little 0")
    turns.wait("little", "r", "little 1")
    assert order(turns, {"much": 2}) == ["little 0", "little 1", "much 0", "much 1", "much 2"]


def test_of_those_that_hold_the_same_each_is_next_before_any_is_again() -> None:
    turns = Turns[str]()
    for number in range(2):
        for caller in ("a", "b", "c"):
            turns.wait(caller, "r", f"{caller}{number}")
    assert order(turns) == ["a0", "b0", "c0", "a1", "b1", "c1"]


def test_many_runs_get_a_caller_no_more_than_one() -> None:
    turns = Turns[str]()
    for run in range(3):
        turns.wait("many", f"r{run}", f"many {run}")
    turns.wait("one", "r", "one 0")
    turns.wait("one", "r", "one 1")
    assert order(turns) == ["many 0", "one 0", "many 1", "one 1", "many 2"]


def test_who_comes_back_is_first_of_its_own_caller_only() -> None:
    turns = Turns[str]()
    turns.wait("a", "r", "a new")
    turns.wait_first("a", "a back")
    turns.wait("b", "r", "b new")
    assert order(turns, {"a": 1}) == ["b new", "a back", "a new"]


def test_who_has_gone_is_not_next() -> None:
    turns = Turns[str]()
    turns.wait_first("a", "gone")
    turns.withdraw("a", "gone")
    assert not turns
    assert turns.next() is None


@dataclass(frozen=True)
class Load:
    """What a caller asks for: so many tasks, of so many seconds each, from some moment on."""

    caller: str
    tasks: int
    seconds: float
    begins: float


def simulated(slots: int, loads: list[Load]) -> dict[str, list[float]]:
    """How long each task of each caller waits for its slot, in the order of their turns."""
    turns, free = Turns[float](), slots
    waits: dict[str, list[float]] = {load.caller: [] for load in loads}
    seconds = {load.caller: load.seconds for load in loads}
    moments: list[tuple[float, int, str, bool]] = []
    for number, load in enumerate(loads):
        moments += [(load.begins, number, load.caller, True)] * load.tasks
    heapq.heapify(moments)
    while moments:
        now, number, caller, arrives = heapq.heappop(moments)
        if arrives:
            turns.wait(caller, "r", now)
        else:
            turns.let_go(caller)
            free += 1
        while free and (following := turns.next()) is not None:
            whose, since = following
            turns.hold(whose)
            free -= 1
            waits[whose].append(now - since)
            heapq.heappush(moments, (now + seconds[whose], number, whose, False))
    return waits


def test_a_caller_with_a_thousand_long_tasks_does_not_hold_up_one_with_ten_short_ones() -> None:
    waits = simulated(8, [Load("flood", 1_000, 10.0, 0.0), Load("few", 10, 1.0, 5.0)])
    assert max(waits["few"]) <= 10.0  # the slots that are taken when it comes, and none that is given later
    assert len(waits["flood"]) == 1_000


def test_slots_do_not_stand_idle_while_anybody_waits() -> None:
    alone = simulated(4, [Load("only", 40, 1.0, 0.0)])
    assert max(alone["only"]) == 9.0


def test_in_the_long_run_all_get_the_same_however_long_their_tasks_are() -> None:
    turns, held = Turns[str](), Counter[str]()
    for caller, tasks in (("short", 400), ("long", 400), ("longer", 400)):
        for _ in range(tasks):
            turns.wait(caller, "r", caller)
    for _ in range(9):
        following = turns.next()
        assert following is not None
        turns.hold(following[0])
        held[following[0]] += 1
    assert set(held.values()) == {3}
    for _ in range(100):  # whichever ends, the one that has least gets its place: the same
        turns.let_go("short")
        following = turns.next()
        assert following is not None
        assert following[0] == "short"
        turns.hold("short")


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("rs")), max_size=40))
def test_everybody_who_waits_has_a_turn_and_only_one(waiting: list[tuple[str, str]]) -> None:
    turns = Turns[int]()
    for number, (caller, run) in enumerate(waiting):
        turns.wait(caller, run, number)
    got: list[int] = []
    while (following := turns.next()) is not None:
        got.append(following[1])
    assert sorted(got) == list(range(len(waiting)))
    assert not turns


def test_alone_a_caller_may_have_all_there_is() -> None:
    assert Room(10).has(9, 9)
    assert not Room(10).has(10, 10)


def test_where_they_are_shared_there_is_always_one_for_whoever_has_none() -> None:
    room, taken = Room(100, shared=True), Counter[str]()
    for caller in ("first", "second", "third", "fourth"):
        while room.has(taken[caller], taken.total()):
            taken[caller] += 1
        assert taken[caller] > 0
    assert taken == {"first": 50, "second": 25, "third": 13, "fourth": 6}


def test_the_only_one_may_be_had() -> None:
    assert Room(1, shared=True).has(0, 0)
    assert not Room(1, shared=True).has(0, 1)
