from __future__ import annotations

import pytest

from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderError, ProviderUnavailableError
from gleitzeit.core.errors import TimeoutError as TookTooLong
from gleitzeit_ollama.pool.health import Health

REFUSED = ProviderUnavailableError("connection refused")
LOST = ConnectionLostError("reset")
CRASHED = ProviderError("the runner died", details={"status": 500})


def tripped() -> Health:
    """A node that answers looks and fails requests."""
    return Health("healthy").refused(CRASHED).refused(CRASHED).refused(CRASHED)


def test_a_node_is_unknown_until_it_is_looked_at() -> None:
    assert Health().state == "unknown"
    assert Health().looked_well().state == "healthy"
    assert Health().looked_bad(REFUSED).state == "down"


@pytest.mark.parametrize(
    "error", [REFUSED, ProviderError("it greets with Welcome", retryable=False, details={"foreign": True})]
)
def test_a_node_that_is_not_there_is_down_at_once_and_a_look_brings_it_back(error: GleitzeitError) -> None:
    down = Health("healthy").refused(error)
    assert (down.state, down.error) == ("down", error)
    assert down.looked_well() == Health("healthy")


@pytest.mark.parametrize("error", [LOST, CRASHED])
def test_one_failure_of_a_request_breaks_nothing_and_three_in_a_row_do(error: GleitzeitError) -> None:
    health = Health("healthy").refused(error).refused(error)
    assert health.state == "healthy"
    assert health.refused(error).state == "down"
    assert health.ended().refused(error).state == "healthy"


def test_a_node_that_stays_silent_is_down_at_once_for_asking_it_costs_a_minute() -> None:
    assert Health("healthy").refused(TookTooLong("silent")).state == "down"


def test_a_node_that_answers_looks_and_fails_requests_is_on_trial_until_a_request_succeeds() -> None:
    trial = tripped().looked_well()
    assert trial.state == "trial"
    assert trial.looked_well().state == "trial"
    assert trial.refused(LOST).state == "down"
    assert trial.began().state == "healthy"
    assert trial.began().ended() == Health("healthy")


def test_a_node_that_begins_answers_and_never_ends_them_is_down_in_the_end() -> None:
    health = Health("healthy")
    for _ in range(3):
        health = health.began().refused(LOST)
    assert health.state == "down"


def test_the_longer_a_node_is_down_the_less_often_it_is_looked_at() -> None:
    health, pauses = Health("healthy"), list[float]()
    for _ in range(9):
        health = health.looked_bad(REFUSED)
        pauses.append(health.pause(10.0))
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert health.looked_well().pause(10.0) == 10.0


def test_one_look_that_takes_too_long_is_looked_again_and_two_are_a_node_that_is_down() -> None:
    slow = Health("healthy").looked_slow(LOST)
    assert (slow.state, slow.pause(10.0)) == ("healthy", 1.0)
    assert slow.looked_well() == Health("healthy")
    assert slow.looked_slow(LOST).state == "down"
    assert Health().looked_slow(LOST).state == "down"


def test_many_requests_that_fail_together_are_one_failure_of_the_node() -> None:
    health = Health("healthy")
    for _ in range(50):
        health = health.refused(REFUSED)
    assert health.pause(10.0) == 1.0


def test_a_trial_that_fails_again_makes_the_next_one_come_later() -> None:
    health = tripped()
    assert health.pause(10.0) == 1.0
    assert health.looked_well().refused(CRASHED).pause(10.0) == 2.0
