"""How much one caller may ask for at once and in a minute."""

from __future__ import annotations

from dataclasses import dataclass

_MINUTE = 60.0
_LARGE_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Bounds:
    """What each caller gets: requests at once, and requests a minute or any number of them."""

    at_once: int
    a_minute: int | None


class Bucket:
    """A minute's worth of requests, which comes back evenly over a minute; seconds are those of one clock."""

    __slots__ = ("_left", "_rate", "_size", "_told")

    def __init__(self, a_minute: int, now: float) -> None:
        self._size = float(a_minute)
        self._rate = a_minute / _MINUTE
        self._left = self._size
        self._told = now

    def take(self, now: float) -> float:
        """Take one request out and return 0, or the seconds until there is one again."""
        self._left = min(self._size, self._left + max(0.0, now - self._told) * self._rate)
        self._told = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._rate


class Allowance:
    """One caller's requests: how many are under way, how many of those bring much, and how many came lately."""

    __slots__ = ("_bounds", "_bucket", "_large", "_open")

    def __init__(self, bounds: Bounds, now: float) -> None:
        self._bounds = bounds
        self._bucket = None if bounds.a_minute is None else Bucket(bounds.a_minute, now)
        self._open = 0
        self._large = 0

    def enter(self, now: float, *, large: bool) -> str | float | None:
        """Begin a request, or say why it may not begin: there are too many at once, or for so many seconds."""
        if self._open >= self._bounds.at_once:
            return f"{self._open:,} requests of yours are under way, and no more may be (limits.caller_requests)"
        if large and self._large >= _LARGE_AT_ONCE:
            return f"{self._large:,} large requests of yours are under way, and no more may be"
        wait = 0.0 if self._bucket is None else self._bucket.take(now)
        if wait:
            return wait
        self._open += 1
        self._large += large
        return None

    def leave(self, *, large: bool) -> None:
        """End a request that has begun."""
        self._open -= 1
        self._large -= large
