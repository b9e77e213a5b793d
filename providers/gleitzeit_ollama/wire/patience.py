"""How long an answer may take to come."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import anyio

from gleitzeit.core.errors import TimeoutError as TookTooLong

_EXPLAINED = {
    "timeout": "the model is loaded there, and does not begin",
    "load_timeout": "the model may still be loading",
}


class Patience:
    """How long one answer may be silent, in seconds: until its first object, and between two of them.

    `setting` is what the first limit is called in the configuration. `begun` tells whether a byte of the answer has
    come: from then on nobody else may be asked.
    """

    def __init__(self, first: float, idle: float, *, setting: str = "load_timeout") -> None:
        self.first = first
        self.idle = idle
        self.begun = False
        self._setting = setting
        self._started = 0.0
        self._scope: anyio.CancelScope | None = None

    def extend(self, first: float) -> None:
        """Wait `first` seconds from the beginning, where that is longer: the model has to be loaded after all."""
        if first > self.first:
            self.first, self._setting = first, "load_timeout"
            if self._scope is not None:
                self._scope.deadline = self._started + first

    @contextmanager
    def until_first(self, shown: str) -> Generator[None]:
        """Give what is inside the first limit, then raise `TimeoutError`; `shown` is the endpoint."""
        self._started = anyio.current_time()
        with anyio.move_on_after(self.first) as self._scope:
            yield
        if self._scope.cancelled_caught:
            raise silent(self.first, shown, _EXPLAINED[self._setting], setting=self._setting)


@contextmanager
def within(seconds: float, shown: str, what: str, *, setting: str | None = None) -> Generator[None]:
    """Give what is inside `seconds`, then raise `TimeoutError`."""
    with anyio.move_on_after(seconds) as scope:
        yield
    if scope.cancelled_caught:
        raise silent(seconds, shown, what, setting=setting)


def silent(seconds: float, shown: str, what: str, *, setting: str | None = None) -> TookTooLong:
    """The error for a server that sent nothing for so long; it says what was waited for, and how to allow more."""
    return TookTooLong(
        f"Ollama at {shown} sent nothing for {seconds:g} s: {what}",
        hint=f"raise providers.ollama.{setting}" if setting else None,
        details={"endpoint": shown},
    )
