"""`Tenure`: whether the runs that are carried out here are certainly still this process's."""

from __future__ import annotations

from gleitzeit.engine.local.clock import Clock
from gleitzeit.store.base import Store


class Tenure:
    """Certain while the lease holds and has held ever since the runs that others had taken were given up.

    A lease that is renewed too late says nothing of the time between, in which another process may have taken some.
    """

    __slots__ = ("_clock", "_lapses", "_store")

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._lapses = 0

    @property
    def certain(self) -> bool:
        """Whether no other process can have claimed any of them."""
        # In this order, for a thread of the store counts a lapse and then renews the lease.
        return self._clock.uptime() <= self._store.secured and self._store.lapses == self._lapses

    def confirm(self, lapses: int) -> None:
        """Whatever was lost in the first so many lapses has been given up."""
        self._lapses = lapses
