"""`Clock`: how long the code of a job may go on; time in which a person is asked does not count."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import anyio

from gleitzeit_python.sandbox.base import Host

_NOTICED = 0.001


class Clock:
    """`seconds` from now on, without those that `waited` tells of."""

    __slots__ = ("_end", "_scope", "_waited")

    def __init__(self, seconds: float, waited: Callable[[], float]) -> None:
        self._end = anyio.current_time() + seconds - waited()
        self._waited = waited
        self._scope: anyio.CancelScope | None = None

    def look(self) -> None:
        """Find out anew when the time is over: somebody may have begun or ended to wait for a person."""
        if self._scope is None:
            return
        due = self._due
        if abs(due - self._scope.deadline) > _NOTICED:  # a call may take less than to set it anew
            self._scope.deadline = due

    @property
    def _due(self) -> float:
        waited = self._waited()
        return math.inf if math.isinf(waited) else self._end + waited

    async def until(self, over: Callable[[], Awaitable[object]]) -> bool:
        """Whether it was over in time."""
        while True:
            with anyio.CancelScope(deadline=self._due) as scope:
                self._scope = scope
                await over()
            self._scope = None
            if not scope.cancelled_caught:
                return True
            if self._due <= anyio.current_time():
                return False


class Timed:
    """The host, and a clock that looks again whenever somebody may have been waited for."""

    def __init__(self, host: Host, clock: Clock) -> None:
        self._host = host
        self._clock = clock
        self.progress = host.progress
        self.waited = host.waited

    async def call(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """The result of a method."""
        try:
            return await self._host.call(method, parameters)
        finally:
            self._clock.look()

    async def ask(self, message: str, schema: Mapping[str, Any] | None) -> Any:
        """What a person answers."""
        try:
            return await self._host.ask(message, schema)
        finally:
            self._clock.look()
