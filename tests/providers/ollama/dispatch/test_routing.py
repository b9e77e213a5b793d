from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gleitzeit_ollama.dispatch.routing import Outlook, alone, cost, crowded, displaced, remaining, share_at_hand

SECONDS = st.floats(0, 1000)


def test_an_idle_slow_node_is_taken_rather_than_a_long_wait_for_a_fast_one() -> None:
    slow, fast_but_busy = Outlook(wait=0, service=4), Outlook(wait=6, service=1, open=False)
    assert cost(slow) < cost(fast_but_busy)


def test_a_fast_node_is_waited_for_where_that_takes_a_moment() -> None:
    slow, nearly_free = Outlook(wait=0, service=4), Outlook(wait=1, service=1, open=False)
    assert cost(nearly_free) < cost(slow)


def test_a_model_in_memory_is_worth_the_time_of_loading_it() -> None:
    loaded, empty = Outlook(wait=3, service=2, open=False), Outlook(wait=0, service=2, load=5, cold=True)
    assert cost(loaded) < cost(empty)
    assert cost(Outlook(wait=4, service=2, open=False)) > cost(empty)


def test_a_model_in_memory_is_no_reason_to_stand_in_a_long_line() -> None:
    resident_but_busy, idle = Outlook(wait=30, service=2, open=False), Outlook(wait=0, service=2, load=5, cold=True)
    assert cost(idle) < cost(resident_but_busy)


def test_what_others_lose_by_a_load_counts_too() -> None:
    harmless, harmful = Outlook(wait=0, service=2, load=5), Outlook(wait=0, service=2, load=5, displaced=8)
    assert cost(harmful) == cost(harmless) + 8


def test_a_prompt_at_hand_is_worth_less_the_more_comes_before() -> None:
    gains = [cost(Outlook(0, 5)) - cost(Outlook(0, 5, saved=3, depth=depth)) for depth in (0, 1, 2, 4)]
    assert gains == pytest.approx([3, 2, 1.5, 1])


def test_a_weight_prefers_a_node_and_does_not_hide_that_it_is_busy() -> None:
    heavy, plain = Outlook(wait=0, service=2, weight=2), Outlook(wait=0, service=2)
    assert cost(heavy) < cost(plain)
    assert cost(Outlook(wait=2, service=2, weight=2, open=False)) > cost(plain)


@given(wait=SECONDS, service=SECONDS, load=SECONDS, more=st.floats(0.001, 100))
def test_more_of_anything_that_takes_time_never_costs_less(
    wait: float, service: float, load: float, more: float
) -> None:
    least = cost(Outlook(wait, service, load))
    assert cost(Outlook(wait + more, service, load)) > least
    assert cost(Outlook(wait, service + more, load)) > least
    assert cost(Outlook(wait, service, load + more)) > least


@given(average=SECONDS, elapsed=SECONDS)
def test_what_is_overdue_never_seems_to_be_through(average: float, elapsed: float) -> None:
    assert remaining(average, elapsed) >= max(average - elapsed, 0)
    assert remaining(average, elapsed + 10) > 0


def test_a_node_that_hangs_gets_dearer_by_the_second() -> None:
    assert [remaining(2, elapsed) for elapsed in (0, 1, 10, 100)] == [2, 1, 5, 50]


@given(service=SECONDS, others=st.integers(0, 30))
def test_what_company_costs_is_taken_off_again_when_learning(service: float, others: int) -> None:
    assert crowded(service, others) >= service
    assert alone(crowded(service, others), others) == pytest.approx(service)


def test_a_model_that_is_in_memory_elsewhere_is_missed_less() -> None:
    assert displaced(6, 3, 0) > displaced(6, 3, 1) > displaced(6, 3, 3) > 0
    assert displaced(6, 0, 0) == 0


@pytest.mark.parametrize(
    ("prefix", "kept", "share"),
    [
        ((), ("system",), 0),
        (("system",), (), 0),
        (("system",), ("system", "a", "b"), 1),
        (("system", "a", "b", "c"), ("system", "a", "x"), 0.5),
        (("system", "a"), ("other", "a"), 0),
    ],
)
def test_the_part_at_hand_is_what_both_begin_with(prefix: tuple[str, ...], kept: tuple[str, ...], share: float) -> None:
    assert share_at_hand(prefix, kept) == share
