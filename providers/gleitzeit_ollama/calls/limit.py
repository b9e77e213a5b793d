"""The time that a call may take in all."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import anyio

from gleitzeit.core.errors import TimeoutError as TookTooLong


@contextmanager
def time_limit(method: str, seconds: float | None) -> Generator[None]:
    """Give what is inside `seconds`, if any, then raise `TimeoutError`."""
    with anyio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise TookTooLong(f"{method} took longer than its timeout of {seconds:g} s", hint="raise parameters.timeout")
