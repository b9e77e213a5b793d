"""Who is next, and who may have one more, where several callers share what there is."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from dataclasses import dataclass
from typing import Generic, TypeVar

Waiter = TypeVar("Waiter")


class Turns(Generic[Waiter]):
    """Says who is next: a waiter of the caller that holds least, of its runs each in turn.

    Of callers that hold the same, each is next before any is again. Who comes back to what it has lent is next among
    its caller's own.
    """

    __slots__ = ("_held", "_lines")

    def __init__(self) -> None:
        self._held = Counter[str]()
        self._lines = OrderedDict[str, _Line[Waiter]]()

    def __bool__(self) -> bool:
        return bool(self._lines)

    def hold(self, caller: str) -> None:
        """Count one more that a caller holds."""
        self._held[caller] += 1

    def let_go(self, caller: str) -> None:
        """Count one less."""
        self._held[caller] -= 1
        if not self._held[caller]:
            del self._held[caller]

    def wait(self, caller: str, run_id: str, waiter: Waiter) -> None:
        """Have a run of a caller wait."""
        self._line(caller).runs.setdefault(run_id, deque()).append(waiter)

    def wait_first(self, caller: str, waiter: Waiter) -> None:
        """Have somebody wait who comes back."""
        self._line(caller).returning.append(waiter)

    def withdraw(self, caller: str, waiter: Waiter) -> None:
        """Let somebody who comes back wait no more."""
        line = self._lines[caller]
        line.returning.remove(waiter)
        if not line:
            del self._lines[caller]

    def next(self) -> tuple[str, Waiter] | None:
        """Whoever is next, who waits no more, and its caller; nothing where nobody waits."""
        if not self._lines:
            return None
        caller = min(self._lines, key=self._held.__getitem__)
        line = self._lines[caller]
        waiter = line.next()
        if line:
            self._lines.move_to_end(caller)
        else:
            del self._lines[caller]
        return caller, waiter

    def _line(self, caller: str) -> _Line[Waiter]:
        return self._lines.setdefault(caller, _Line[Waiter]())


class _Line(Generic[Waiter]):
    """Those of one caller that wait."""

    __slots__ = ("returning", "runs")

    def __init__(self) -> None:
        self.returning = deque[Waiter]()
        self.runs = OrderedDict[str, deque[Waiter]]()

    def __bool__(self) -> bool:
        return bool(self.returning or self.runs)

    def next(self) -> Waiter:
        if self.returning:
            return self.returning.popleft()
        run_id, waiting = self.runs.popitem(last=False)
        waiter = waiting.popleft()
        if waiting:
            self.runs[run_id] = waiting
        return waiter


@dataclass(frozen=True, slots=True)
class Room:
    """Room for so many at `most`, which callers may have `shared` among them."""

    most: int
    shared: bool = False

    def has(self, own: int, taken: int) -> bool:
        """Whether a caller that has `own` of those that are `taken` may have one more.

        Where callers share, none takes more than is left for the others: whoever comes alone gets half, the next one
        half of the rest, and there is always some for one who has none yet.
        """
        free = self.most - taken
        return free > 0 and (not self.shared or own < free)
