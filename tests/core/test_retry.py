"""When a failed attempt is repeated, and how soon."""

from __future__ import annotations

import pytest

from gleitzeit.core.models import Failure, Retry
from gleitzeit.core.retry import delay, verdict

PLAIN = Failure("provider_failed", "busy", retryable=True)
LASTING = Failure("parameters_invalid", "wrong")
AMBIGUOUS = Failure("timeout", "too long", retryable=True, ambiguous=True)


def test_the_delay_is_the_same_each_time_without_backoff() -> None:
    assert [delay(Retry(delay=2), attempt) for attempt in (1, 2, 7)] == [2, 2, 2]


def test_the_delay_doubles_with_backoff_up_to_its_cap() -> None:
    retry = Retry(max_attempts=9, delay=2, exponential_backoff=True, max_delay=10)
    assert [delay(retry, attempt) for attempt in (1, 2, 3, 4, 1000)] == [2, 4, 8, 10, 10]


def test_jitter_lengthens_a_delay_by_a_quarter_at_most_and_never_beyond_the_cap() -> None:
    assert 2 < delay(Retry(delay=2), 1, 0.5) < delay(Retry(delay=2), 1, 0.999) <= 2.5
    assert delay(Retry(delay=2, max_delay=2), 1, 0.9) == 2


@pytest.mark.parametrize(
    ("failure", "attempts", "ambiguous", "attempt", "repeatable", "expected"),
    [
        (PLAIN, 3, False, 1, False, "retry"),
        (PLAIN, 3, False, 3, False, "fail"),
        (PLAIN, 1, False, 1, False, "fail"),
        (LASTING, 3, False, 1, True, "fail"),
        (AMBIGUOUS, 3, False, 1, False, "unknown"),
        (AMBIGUOUS, 1, False, 1, False, "unknown"),
        (AMBIGUOUS, 3, False, 1, True, "retry"),
        (AMBIGUOUS, 3, False, 3, True, "fail"),
        (AMBIGUOUS, 3, True, 1, False, "retry"),
        (AMBIGUOUS, 1, True, 1, False, "fail"),
    ],
)
def test_the_verdict_follows_from_the_kind_of_failure(
    failure: Failure, attempts: int, ambiguous: bool, attempt: int, repeatable: bool, expected: str
) -> None:
    assert verdict(failure, Retry(max_attempts=attempts, ambiguous=ambiguous), attempt, repeatable) == expected
