from __future__ import annotations

import pytest

from gleitzeit.core.errors import (
    ConnectionLostError,
    GleitzeitError,
    LimitError,
    ProviderError,
    ProviderUnavailableError,
    ValidationError,
)
from gleitzeit.core.errors import TimeoutError as TookTooLong
from gleitzeit_ollama.pool.retries import is_model_missing, is_of_the_node, pause, spread


@pytest.mark.parametrize(
    "error",
    [ProviderUnavailableError("refused"), ConnectionLostError("reset"), ProviderError("busy", details={"status": 503})],
)
def test_what_may_pass_is_asked_again_later_and_later_and_not_for_ever(error: ProviderError) -> None:
    assert [pause(error, failures, 3) for failures in (1, 2, 3, 4)] == [0.2, 0.4, 0.8, None]


@pytest.mark.parametrize(
    "error",
    [
        ProviderError("crashed", details={"status": 500}),
        ProviderError("no such model", details={"status": 404}, retryable=False),
        ProviderUnavailableError("five seconds gone", details={"again": False}),
        TookTooLong("silent"),
    ],
)
def test_what_another_request_would_not_change_is_not_asked_again(error: GleitzeitError) -> None:
    assert pause(error, 1, 3) is None


def test_no_retries_means_none() -> None:
    assert pause(ConnectionLostError("reset"), 1, 0) is None


def test_a_pause_stays_short() -> None:
    assert pause(ConnectionLostError("reset"), 10, 10) == 3.0


def test_pauses_are_spread_out() -> None:
    pauses = {spread(1.0) for _ in range(50)}
    assert len(pauses) > 1
    assert all(0.5 <= seconds <= 1.0 for seconds in pauses)


@pytest.mark.parametrize(
    ("error", "is_the_nodes"),
    [
        (ProviderUnavailableError("refused"), True),
        (ConnectionLostError("reset"), True),
        (TookTooLong("silent"), True),
        (ProviderError("busy", details={"status": 503}), True),
        (ProviderError("crashed", details={"status": 500}), True),
        (ProviderError("who are you?", details={"status": 401}, retryable=False), True),
        (ProviderError("another program", details={"status": 404, "foreign": True}, retryable=False), True),
        (ProviderError("no such model", details={"status": 404}, retryable=False), False),
        (ValidationError("wrong option", details={"status": 500}), False),
        (LimitError("too long"), False),
    ],
)
def test_another_node_may_do_better_only_where_it_was_the_node_that_failed(
    error: GleitzeitError, is_the_nodes: bool
) -> None:
    assert is_of_the_node(error) is is_the_nodes


def test_a_missing_model_is_told_from_another_program() -> None:
    assert is_model_missing(ProviderError("no such model", details={"status": 404}))
    assert not is_model_missing(ProviderError("another program", details={"status": 404, "foreign": True}))
