"""`Progress`: the reports of the tasks of one run, thinned out before they are written."""

from __future__ import annotations

import time
from collections.abc import Callable

from gleitzeit.engine.local.alarms import Alarm, Alarms
from gleitzeit.store.base import EventDraft

EVERY = 0.25
"""Seconds between two reports of one task that are kept."""


class Progress:
    """Keeps the first report of a task, then the latest in each quarter of a second, and always its last.

    Nothing is written at once: what is there is written with whatever comes next, or when `due` is called. All runs
    are called at the same moments, so that they share one transaction.
    """

    __slots__ = ("_alarm", "_alarms", "_due", "_kept", "_latest", "_since")

    def __init__(self, alarms: Alarms, due: Callable[[], None]) -> None:
        self._alarms = alarms
        self._due = due
        self._kept: list[EventDraft] = []
        self._latest: dict[str, EventDraft] = {}
        self._since: dict[str, float] = {}
        self._alarm: Alarm | None = None

    def tell(self, report: EventDraft) -> None:
        """Take in a report."""
        key, now = report.task_id or "", time.monotonic()
        if now - self._since.get(key, float("-inf")) >= EVERY:
            self._since[key] = now
            self._latest.pop(key, None)
            self._kept.append(report)
        else:
            self._latest[key] = report
        self._set()

    def of(self, key: str) -> list[EventDraft]:
        """What has not been taken yet of a task that is over now."""
        if key not in self._since:
            return []
        del self._since[key]
        mine = [report for report in self._kept if report.task_id == key]
        self._kept = [report for report in self._kept if report.task_id != key]
        latest = self._latest.pop(key, None)
        return mine if latest is None else [*mine, latest]

    def take(self) -> list[EventDraft]:
        """What is to be written now."""
        kept, self._kept = self._kept, []
        return kept

    def _set(self) -> None:
        if self._alarm is None:
            self._alarm = self._alarms.at((time.monotonic() // EVERY + 1) * EVERY, self._ring)

    def _ring(self) -> None:
        self._alarm = None
        now = time.monotonic()
        for key in [key for key in self._latest if now - self._since[key] >= EVERY]:
            self._since[key] = now
            self._kept.append(self._latest.pop(key))
        if self._latest:
            self._set()
        if self._kept:
            self._due()
