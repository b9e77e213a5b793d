"""`RunLimit`: how long a run may take, without the time in which it waits for answers."""

from __future__ import annotations

from collections.abc import Callable

from gleitzeit.engine.local.alarms import Alarms
from gleitzeit.engine.local.deadline import Deadline


class RunLimit:
    """Calls `end` in so many seconds, or as much later as its deadline is held, unless it is turned off before."""

    def __init__(self, alarms: Alarms, seconds: float, end: Callable[[], None]) -> None:
        self._alarms = alarms
        self._end = end
        self.deadline = Deadline(seconds, self._move)
        self._alarm = alarms.at(self.deadline.at, end)

    def turn_off(self) -> None:
        """Do not end anything any more."""
        self.deadline.forget()
        self._alarm.turn_off()

    def _move(self) -> None:
        self._alarm.turn_off()
        self._alarm = self._alarms.at(self.deadline.at, self._end)
