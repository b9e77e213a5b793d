"""When a request is sent again by itself, and where. Pure decisions."""

from __future__ import annotations

import random

from gleitzeit.core.errors import ConnectionLostError, GleitzeitError, ProviderError, ProviderUnavailableError
from gleitzeit.core.errors import TimeoutError as TookTooLong

_NOT_FOUND = 404
_FAILED = 500
_BUSY = 503
_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 3.0


def is_of_the_node(error: GleitzeitError) -> bool:
    """Whether it is the node that failed, so that another one may do better; else it is the request."""
    return isinstance(error, ProviderError | TookTooLong) and not is_model_missing(error)


def is_model_missing(error: GleitzeitError) -> bool:
    """Whether the node answered that it does not have the model."""
    return error.details.get("status") == _NOT_FOUND and not error.details.get("foreign")


def may_be_of_a_text(error: GleitzeitError) -> bool:
    """Whether a request for embeddings may have failed for what is in it: that says nothing about the node."""
    return error.details.get("status") == _FAILED


def pause(error: GleitzeitError, failures: int, max_retries: int) -> float | None:
    """Seconds until a request that failed `failures` times is sent to the same node again; nothing if it should not be.

    What may pass within seconds is sent again: a node that is not there or is busy, a connection that was lost.
    """
    passing = isinstance(error, ProviderUnavailableError | ConnectionLostError) or error.details.get("status") == _BUSY
    if not passing or failures > max_retries or error.details.get("again") is False:
        return None
    return min(_FIRST_PAUSE * 2.0 ** (failures - 1), _LONGEST_PAUSE)


def spread(seconds: float) -> float:
    """A pause a little shorter by chance, or many requests that failed together would come back together."""
    return seconds * random.uniform(0.5, 1.0)  # noqa: S311  # nobody gains by guessing it
