"""Forks that copy as little memory as they can: what the standard library does after each is mostly for locks."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, cast

_NEEDLESS: Final = frozenset({"concurrent.futures.thread", "logging", "random", "threading"})
"""Modules whose hooks free locks that other threads held, forget these threads, and sow random numbers anew.

A fork server has no thread but its first, which goes on in the fork, and a job gets its random numbers by
`scene.settle`. The hooks would write to two hundred pages of each worker, which the kernel has to copy.
"""


@contextmanager
def without_hooks() -> Generator[None]:
    """While modules are imported, leave out the hooks of those that need none in a process with one thread."""
    register = cast("Callable[..., None]", os.register_at_fork)

    def registered(**hooks: Any) -> None:
        caller: str = getattr(sys, "_getframe")(1).f_globals["__name__"]  # noqa: B009 hooks do not tell whose they are
        if caller not in _NEEDLESS:
            register(**hooks)

    os.register_at_fork = registered
    try:
        yield
    finally:
        os.register_at_fork = register
