"""`Quota`: how much the code of one job may ask of us."""

from __future__ import annotations

from dataclasses import dataclass

from gleitzeit.core.errors import LimitError
from gleitzeit_python.broker.frames import FrameError

_PATIENCE = 100
_CONTAINER = 64
"""What a list or object counts for: without that, messages would need twenty times as much memory as they are long."""

_IDLE_REPORTS = 20


@dataclass(frozen=True, slots=True)
class Quota:
    """Calls and questions altogether, those that are carried out at once, and bytes in each direction."""

    calls: int = 1000
    at_once: int = 32
    received: int = 64 << 20
    sent: int = 64 << 20
    reports: int = 10_000


class Account:
    """What a job has used of its quota."""

    __slots__ = ("_calls", "_quota", "_received", "_reports", "_sent")

    def __init__(self, quota: Quota) -> None:
        self._quota = quota
        self._calls = self._received = self._sent = self._reports = 0

    @property
    def calls(self) -> int:
        """How many calls and questions there were."""
        return min(self._calls, self._quota.calls)

    def receive(self, data: bytes) -> None:
        """Count bytes of the worker, and what takes more memory for more. Raises `FrameError` if they are too many."""
        self._received += len(data) + _CONTAINER * (data.count(b"{") + data.count(b"["))
        if self._received > self._quota.received:
            raise FrameError(f"more than {self._quota.received:,} bytes of messages")

    def send(self, size: int) -> None:
        """Count bytes for the worker. Raises `LimitError` where they are too many."""
        if self._sent + size > self._quota.sent:
            raise LimitError(
                f"the results of all calls are larger than {self._quota.sent:,} bytes",
                hint="call for smaller parts, or spread the calls over several tasks with `foreach`",
            )
        self._sent += size

    def call(self) -> None:
        """Count a call or question. Raises `LimitError` for one too many, `FrameError` where they never end."""
        self._calls += 1
        if self._calls > self._quota.calls + _PATIENCE:
            raise FrameError(f"more than {self._quota.calls:,} calls, which were refused, and still more")
        if self._calls > self._quota.calls:
            raise LimitError(
                f"the code of one task may make {self._quota.calls:,} calls (providers.python.calls.max_calls)",
                hint="call for more at once, or spread the calls over several tasks with `foreach`",
            )

    def report(self) -> bool:
        """Count a report of progress; whether it is still to be told. Raises `FrameError` where they never end."""
        self._reports += 1
        if self._reports > self._quota.reports * _IDLE_REPORTS:
            raise FrameError(f"more than {self._quota.reports * _IDLE_REPORTS:,} reports of progress")
        return self._reports <= self._quota.reports
