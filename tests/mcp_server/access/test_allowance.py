"""How much one caller gets, by a clock of the test's own."""

from __future__ import annotations

import pytest

from gleitzeit.mcp_server.access.allowance import Allowance, Bounds, Bucket


def test_a_minutes_worth_comes_at_once_and_then_evenly() -> None:
    bucket = Bucket(60, 0.0)
    assert [bucket.take(0.0) for _ in range(60)] == [0.0] * 60
    assert bucket.take(0.0) == pytest.approx(1.0)
    assert bucket.take(0.5) == pytest.approx(0.5)
    assert bucket.take(1.0) == 0.0
    assert bucket.take(1.0) == pytest.approx(1.0)


def test_who_waits_long_has_no_more_than_a_minutes_worth() -> None:
    bucket = Bucket(2, 0.0)
    assert [bool(bucket.take(10_000.0)) for _ in range(3)] == [False, False, True]


def test_a_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(1, 100.0)
    assert bucket.take(100.0) == 0.0
    assert bucket.take(0.0) > 0


def test_only_so_many_requests_are_under_way_at_once() -> None:
    allowance = Allowance(Bounds(2, None), 0.0)
    assert [allowance.enter(0.0, large=False) for _ in range(2)] == [None, None]
    assert "limits.caller_requests" in str(allowance.enter(0.0, large=False))
    allowance.leave(large=False)
    assert allowance.enter(0.0, large=False) is None


def test_few_of_them_may_bring_much() -> None:
    allowance = Allowance(Bounds(100, None), 0.0)
    answers = [allowance.enter(0.0, large=True) for _ in range(9)]
    assert answers[:8] == [None] * 8
    assert "large" in str(answers[8])
    assert allowance.enter(0.0, large=False) is None
    allowance.leave(large=True)
    assert allowance.enter(0.0, large=True) is None


def test_a_request_that_is_refused_counts_as_none() -> None:
    allowance = Allowance(Bounds(1, 1), 0.0)
    assert allowance.enter(0.0, large=False) is None
    assert isinstance(allowance.enter(0.0, large=False), str)
    allowance.leave(large=False)
    assert allowance.enter(30.0, large=False) == pytest.approx(30.0)
    assert allowance.enter(60.0, large=False) is None
