"""`Gate`: how many requests one provider gets at once, and how many may wait for their turn."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import anyio

from gleitzeit.core.errors import ProviderUnavailableError


@dataclass(frozen=True, slots=True)
class Bounds:
    """At most `parallel` requests at once, and at most `queue` that wait."""

    parallel: int
    queue: int


class Gate:
    """Lets requests pass one by one as places get free, first come first served."""

    __slots__ = ("_bounds", "_free", "_waiting")

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._free = bounds.parallel
        self._waiting: deque[anyio.Event] = deque()

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._waiting)

    async def enter(self, provider_id: str) -> None:
        """Return once a place is free. Raises `ProviderUnavailableError` where too many wait for one already."""
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= self._bounds.queue:
            raise self._full(provider_id)
        turn = anyio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():  # the place was handed over just when nobody wanted it any more
                self.leave()
            else:
                self._waiting.remove(turn)
            raise

    def leave(self) -> None:
        """Hand the place over to the next who waits, or leave it free."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self._free += 1

    def _full(self, provider_id: str) -> ProviderUnavailableError:
        parallel, queue = self._bounds.parallel, self._bounds.queue
        return ProviderUnavailableError(
            f'provider "{provider_id}" has {parallel} requests in flight, and {queue} more wait for it',
            hint="try again later; limits.provider_parallel and limits.provider_queue say how many there may be",
            details={"provider": provider_id, "in_flight": parallel, "waiting": queue},
        )
