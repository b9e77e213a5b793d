"""What a fake node has seen, and waiting for what it has yet to see."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from typing import Any

import anyio
from tests.providers.ollama.fake.answer import Asked


class Counters:
    """Counts of one node; `peak` is the most that it had in flight at once, waiting ones among them.

    `running` are those that a model works at, `cancelled` those whose caller hung up. `asked` are the last requests to
    models.
    """

    def __init__(self) -> None:
        self.requests: Counter[str] = Counter()
        self.loads: Counter[str] = Counter()
        self.asked: deque[Asked] = deque(maxlen=10_000)
        self.answered = 0
        self.cancelled = 0
        self.connections = 0
        self.in_flight = 0
        self.running = 0
        self.peak = 0
        self._changed = anyio.Event()

    def tell(self) -> None:
        """Wake whoever waits for a change."""
        changed, self._changed = self._changed, anyio.Event()
        changed.set()

    async def until(self, condition: Callable[[Counters], bool]) -> None:
        """Wait until it is so."""
        while not condition(self):
            await self._changed.wait()

    def as_data(self) -> dict[str, Any]:
        """The numbers, for another process."""
        numbers = ("answered", "cancelled", "connections", "in_flight", "running", "peak")
        return {
            "requests": dict(self.requests),
            "loads": dict(self.loads),
            **{name: getattr(self, name) for name in numbers},
        }


class Gate:
    """Holds answers back, for tests that have to see one in the middle: open at first."""

    def __init__(self) -> None:
        self._after = 0
        self._open = anyio.Event()
        self._open.set()

    def hold(self, after: int = 0) -> None:
        """From now on no answer gives more than `after` tokens."""
        self._after = after
        self._open = anyio.Event()

    def release(self) -> None:
        """Let all go on."""
        self._open.set()

    async def passing(self, given: int) -> None:
        """Wait where an answer has given all that it may."""
        if given >= self._after:
            await self._open.wait()
