from __future__ import annotations

import pytest

from gleitzeit_ollama.dispatch.ledger import Average, Averages, Ledger


def test_an_average_follows_a_change_that_stays() -> None:
    average = Average()
    for _ in range(20):
        average.add(1.0)
    for _ in range(40):
        average.add(3.0)
    assert average.value == pytest.approx(3.0, rel=0.05)


def test_one_stall_is_not_taken_for_the_speed_of_a_node() -> None:
    average = Average()
    for _ in range(10):
        average.add(1.0)
    average.add(300.0)
    assert average.value < 1.2


def test_nothing_measured_anywhere_is_the_assumption() -> None:
    assert Averages(5.0).get("node", "a") == 5.0


def test_a_new_node_is_taken_to_be_as_fast_as_the_fastest() -> None:
    averages = Averages(5.0)
    averages.add("slow", "a", 8.0)
    averages.add("fast", "a", 2.0)
    assert averages.get("new", "a") == 2.0


def test_a_node_that_is_slow_with_one_model_is_taken_to_be_so_with_another() -> None:
    averages = Averages(5.0)
    averages.add("slow", "a", 8.0)
    averages.add("fast", "a", 2.0)
    averages.add("fast", "b", 1.0)
    assert averages.get("slow", "b") == pytest.approx(4.0)


def test_a_first_measurement_counts_little_beside_what_others_say_and_many_count_alone() -> None:
    averages = Averages(5.0)
    averages.add("other", "a", 2.0)
    averages.add("node", "a", 8.0)
    assert averages.get("node", "a") == pytest.approx(4.0)
    for _ in range(20):
        averages.add("node", "a", 8.0)
    assert averages.get("node", "a") == pytest.approx(8.0)


def test_what_a_beginning_at_hand_saves_is_what_such_prompts_took_less() -> None:
    ledger = Ledger()
    ledger.learn_prompt("node", "a", 3.0, share=0.0)
    ledger.learn_prompt("node", "a", 0.5, share=1.0)
    assert ledger.saved("node", "a", 1.0) == pytest.approx(2.5)
    assert ledger.saved("node", "a", 0.5) == pytest.approx(1.25)


def test_who_is_forgotten_is_unknown() -> None:
    ledger = Ledger()
    ledger.answers.add("node", "a", 7.0)
    ledger.forget("node")
    assert ledger.averages("node") == {}
