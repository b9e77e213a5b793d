"""`Exchange`: one request that was sent, until its answer is there."""

from __future__ import annotations

import asyncio  # its futures and timers: making an event of anyio's takes ten calls, and a cancel scope thirty
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import anyio

from gleitzeit.core import errors
from gleitzeit.core.errors import GleitzeitError
from gleitzeit_mcp.session.errors import RemoteError

_KEPT_REPORTS = 64
_MOST_ASKED = 64

Report = tuple[float, float | None, str | None]
Answerer = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Listener:
    """What whoever sent a request does with what comes before its answer.

    `report` gets progress. `answer` answers what the server asks meanwhile, given its request, with the result; it runs
    in the task that sent the request. `owner` tells whose call it is: what a server asks is never put to another one.
    """

    report: Callable[[float, float | None, str | None], Awaitable[None]] | None = None
    answer: Answerer | None = None
    log: Callable[[dict[str, Any]], None] | None = None
    owner: str = ""


class Exchange:
    """Collects what comes for one request; its sender takes it out, in order, in its own task.

    Of progress that comes faster than it is taken, the oldest is dropped. After `timeout` seconds it is over by a
    `TimeoutError`; a timer sees to that, for a cancel scope around all of it takes thirty calls.
    """

    __slots__ = (
        "_asking",
        "_doing",
        "_due",
        "_expired",
        "_loop",
        "_news",
        "_outcome",
        "_over",
        "_timeout",
        "_timer",
        "_waiting",
        "asked",
        "listener",
        "reports",
        "settled",
        "written",
    )

    def __init__(self, listener: Listener | None, timeout: float | None = None) -> None:
        self.listener = listener
        self.settled = False
        self.reports: deque[Report] | None = None
        self.asked: deque[dict[str, Any]] | None = None
        self.written = False
        self._news = False
        self._waiting: asyncio.Future[None] | None = None
        self._over = False
        self._outcome: Any = None
        self._asking: anyio.CancelScope | None = None
        self._doing: anyio.CancelScope | None = None
        self._expired = False
        self._loop = asyncio.get_running_loop()
        self._timeout = timeout
        self._timer: asyncio.Handle | None = None
        if timeout is not None:
            self._expire_in(timeout)

    @property
    def over(self) -> bool:
        """Whether nothing more will come."""
        return self._over

    def stop(self) -> None:
        """Nobody waits for it any more."""
        if self._timer is not None:
            self._timer.cancel()

    async def news(self) -> None:
        """Return once something has come since the last time."""
        if not self._news:
            self._waiting = self._loop.create_future()
            try:
                await self._waiting
            finally:
                self._waiting = None
        self._news = False

    @contextmanager
    def suspended(self) -> Generator[None]:
        """The time within does not count."""
        if self._timer is None or self._over:
            yield
            return
        left = self._due - self._loop.time()
        self._timer.cancel()
        try:
            yield
        finally:
            self._expire_in(left)

    @contextmanager
    def limited(self) -> Generator[None]:
        """What is done within ends when the time is over."""
        with anyio.CancelScope() as scope:
            self._doing = scope
            if self._expired:
                scope.cancel()
            try:
                yield
            finally:
                self._doing = None

    def report(self, report: Report) -> None:
        """Take in how far the server is."""
        if self.listener is not None and self.listener.report is not None:
            if self.reports is None:
                self.reports = deque(maxlen=_KEPT_REPORTS)
            self.reports.append(report)
            self._tell()

    def ask(self, request: dict[str, Any]) -> bool:
        """Take in what the server asks; False where it asks too much at once."""
        if self.asked is None:
            self.asked = deque()
        if len(self.asked) >= _MOST_ASKED:
            return False
        self.asked.append(request)
        self._tell()
        return True

    def forget(self, request_id: Any) -> None:
        """The server does not want an answer any more that nobody has begun to give."""
        if self.asked:
            self.asked = deque(request for request in self.asked if request["id"] != request_id)

    def answering(self) -> anyio.CancelScope:
        """What an answer is given in: it ends with the exchange, for the server wants none any more."""
        self._asking = anyio.CancelScope()
        return self._asking

    def settle(self, outcome: Any) -> None:
        """Take in the result, or the error to be raised in its place; only the first counts."""
        if not self._over:
            self.settled = True
            self._end(outcome)

    def _tell(self) -> None:
        self._news = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_result(None)

    def _expire_in(self, seconds: float) -> None:
        seconds = max(0.0, seconds)
        self._due = self._loop.time() + seconds  # a handle of uvloop's may not know it
        self._timer = self._loop.call_later(seconds, self._expire)

    def _expire(self) -> None:
        self._expired = True
        if not self._over:
            self._end(errors.TimeoutError(f"no answer within {self._timeout:g} s"))
        if self._doing is not None:
            self._doing.cancel()

    def _end(self, outcome: Any) -> None:
        self._over, self._outcome = True, outcome
        self._tell()
        if self._asking is not None:
            self._asking.cancel()

    def result(self) -> Any:
        """The result, or its error, once it is over."""
        if isinstance(self._outcome, RemoteError | GleitzeitError):
            raise self._outcome
        return self._outcome
