"""How often each model is asked for of late."""

from __future__ import annotations

import math

_SPAN = 60.0
"""Seconds after which a request counts a third of a new one."""


class Demand:
    """Requests a second of each model, as an average in which older ones fade."""

    def __init__(self) -> None:
        self._counts: dict[str, tuple[float, float]] = {}

    def add(self, model: str, now: float) -> None:
        """Note a request."""
        self._counts[model] = (self._faded(model, now) + 1, now)

    def rate(self, model: str, now: float) -> float:
        """Requests a second."""
        return self._faded(model, now) / _SPAN

    def _faded(self, model: str, now: float) -> float:
        count, last = self._counts.get(model, (0.0, now))
        return count * math.exp((last - now) / _SPAN)
