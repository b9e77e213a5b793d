from __future__ import annotations

import pytest

from gleitzeit_ollama.dispatch.base import Want
from gleitzeit_ollama.dispatch.line import Line, Ticket


def want(run: str = "", model: str = "a:latest") -> Want:
    return Want(model, run=run)


def order(line: Line) -> list[Ticket]:
    return list(line)


def test_a_line_of_one_run_keeps_the_order_of_arrival() -> None:
    line = Line()
    tickets = [line.enter(want(), 0.0) for _ in range(30)]
    assert order(line) == tickets


def test_a_run_with_a_thousand_requests_holds_up_another_by_a_few_only() -> None:
    line = Line()
    for _ in range(1000):
        line.enter(want("large"), 0.0)
    single = line.enter(want("small"), 1.0)
    assert order(line).index(single) <= 8


def test_that_holds_in_the_middle_of_the_thousand_too() -> None:
    line = Line()
    tickets = [line.enter(want("large"), 0.0) for _ in range(1000)]
    for ticket in tickets[:500]:
        line.serve(ticket)
    single = line.enter(want("small"), 1.0)
    assert order(line).index(single) <= 16


def test_runs_with_a_few_requests_each_are_served_as_they_come() -> None:
    line = Line()
    tickets = [line.enter(want(f"run {number % 3}"), 0.0) for number in range(24)]
    assert order(line) == tickets


def test_whoever_comes_back_from_a_node_that_failed_stands_in_front() -> None:
    line = Line()
    first = line.enter(want("one"), 0.0)
    for _ in range(50):
        line.enter(want("one"), 0.0)
    line.serve(first)
    again = line.enter(want("one"), 1.0, frozenset({"node"}))
    assert order(line)[0] is again


def test_leaving_makes_room_and_nothing_else() -> None:
    line = Line()
    tickets = [line.enter(want(model=model), 0.0) for model in ("a", "b", "a")]
    line.leave(tickets[0])
    assert order(line) == tickets[1:]
    assert (line.waiting("a"), line.waiting("b"), line.waiting("c")) == (1, 1, 0)
    line.leave(tickets[1])
    assert line.models == ["a"]


def test_nobody_leaves_twice() -> None:
    line = Line()
    ticket = line.enter(want(), 0.0)
    line.leave(ticket)
    with pytest.raises(ValueError, match="does not wait"):
        line.leave(ticket)
