"""Many pieces of work, some of them at once, that end together."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TypeVar

import anyio
from anyio.abc import TaskGroup

from gleitzeit_ollama.calls.progress import INTERVAL, Report
from gleitzeit_ollama.pool.base import Pool

Item = TypeVar("Item")

_WAITING = 16


async def spread(items: Iterable[Item], one: Callable[[Item], Awaitable[None]], width: Callable[[], int]) -> None:
    """Await `one` for each of `items`, begun in order, as many at once as `width` says then.

    Returns once all are done. The first error ends the others, and is raised as it is.
    """
    failures: list[Exception] = []
    async with anyio.create_task_group() as tasks:
        work = _Work(items, one, width, tasks, failures)
        work.fill()
    if failures:
        raise failures[0]


def room(pool: Pool, model: str, max_queue: int) -> Callable[[], int]:
    """How many requests for `model` one task may have at once: those that are answered, and some that wait.

    From those the pool sees whether it pays to load the model on one more node. They are never more than may wait
    there, which would be refused.
    """

    def width() -> int:
        places = pool.places(model)
        return places + min(max(places, _WAITING), max_queue)

    return width


class ItemProgress:
    """Reports how many of `total` items are done, at most ten times a second, and that all are."""

    def __init__(self, report: Report, total: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._report = report
        self._total = total
        self._clock = clock
        self._done = 0
        self._next = clock()

    async def add(self, count: int = 1) -> None:
        """So many more are done."""
        if not count:
            return
        self._done += count
        if self._done == self._total or self._clock() >= self._next:
            self._next = self._clock() + INTERVAL
            await self._report(self._done, self._total, None)


class _Work:
    """What is left to do, and how much is being done."""

    def __init__(
        self,
        items: Iterable[Item],
        one: Callable[[Item], Awaitable[None]],
        width: Callable[[], int],
        tasks: TaskGroup,
        failures: list[Exception],
    ) -> None:
        self._left: Iterator[Callable[[], Awaitable[None]]] = (_bound(one, item) for item in items)
        self._width = width
        self._tasks = tasks
        self._failures = failures
        self._running = 0

    def fill(self) -> None:
        """Begin as many more as there is room for."""
        while self._running < max(1, self._width()):
            piece = next(self._left, None)
            if piece is None:
                return
            self._running += 1
            self._tasks.start_soon(self._carry_out, piece)

    async def _carry_out(self, piece: Callable[[], Awaitable[None]]) -> None:
        try:
            await piece()
        except Exception as error:  # noqa: BLE001 - raised outside of the group, which would wrap it
            self._failures.append(error)
            self._tasks.cancel_scope.cancel()
            return
        self._running -= 1
        self.fill()


def _bound(one: Callable[[Item], Awaitable[None]], item: Item) -> Callable[[], Awaitable[None]]:
    return lambda: one(item)
