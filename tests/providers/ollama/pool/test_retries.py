from __future__ import annotations

import pytest

from gleitzeit.core.errors import ConnectionLostError, ProviderError, ProviderUnavailableError
from gleitzeit_ollama.retries import pause


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
    ],
)
def test_what_another_request_would_not_change_is_not_asked_again(error: ProviderError) -> None:
    assert pause(error, 1, 3) is None


def test_no_retries_means_none() -> None:
    assert pause(ConnectionLostError("reset"), 1, 0) is None


def test_a_pause_stays_short() -> None:
    assert pause(ConnectionLostError("reset"), 10, 10) == 3.0
