"""Whether a failed attempt is repeated, and after how long: pure decisions on values."""

from __future__ import annotations

from typing import Literal

from gleitzeit.core.models import Failure, Retry

Verdict = Literal["retry", "fail", "unknown"]

JITTER = 0.25
"""How much of a delay, at most, is added so that tasks that failed together do not come back together."""


def delay(retry: Retry, attempt: int, jitter: float = 0.0) -> float:
    """Seconds to wait after the failed `attempt` (from 1); `jitter` in [0, 1) is where in the spread it falls.

    Never longer than `max_delay`.
    """
    doublings = min(attempt - 1, 64) if retry.exponential_backoff else 0
    return min(retry.delay * 2.0**doublings * (1.0 + JITTER * jitter), retry.max_delay)


def verdict(failure: Failure, retry: Retry, attempt: int, repeatable: bool) -> Verdict:
    """What follows from a failed `attempt`.

    An ambiguous failure may have been carried out: unless repeating is harmless or allowed, nobody knows what became
    of the task, and it is neither repeated nor called failed.
    """
    if failure.ambiguous and not repeatable and not retry.ambiguous:
        return "unknown"
    if failure.retryable and attempt < retry.max_attempts:
        return "retry"
    return "fail"
