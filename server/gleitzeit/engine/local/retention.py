"""`Retention`: forgets runs that are over, now and then."""

from __future__ import annotations

import logging

import anyio

from gleitzeit.core.errors import StoreError
from gleitzeit.engine.local.clock import Clock
from gleitzeit.store.base import Store

logger = logging.getLogger("gleitzeit.engine")

_EVERY = 600.0
_DAY = 86_400.0


class Retention:
    """Keeps runs that are over for `days`, and no more than `runs` of them; None sets no limit."""

    def __init__(self, store: Store, clock: Clock, days: float | None, runs: int | None) -> None:
        self._store = store
        self._clock = clock
        self._days = days
        self._runs = runs

    async def keep(self) -> None:
        """Forget what is too old or too much, until cancelled."""
        if self._days is None and self._runs is None:
            return
        while True:
            await self._forget()
            await anyio.sleep(_EVERY)

    async def _forget(self) -> None:
        before = None if self._days is None else self._clock.now() - self._days * _DAY
        try:
            forgotten = await self._store.prune(now=self._clock.now(), before=before, keep=self._runs)
        except StoreError as error:  # the next time will do
            logger.warning("old runs could not be forgotten: %s", error)
            return
        if forgotten:
            logger.info("%d old runs were forgotten", forgotten)
