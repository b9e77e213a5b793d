"""`Conversation`: what is said between the host and the code of one job, whatever carries its bytes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import anyio
from anyio.abc import TaskGroup

from gleitzeit.core.errors import GleitzeitError, LimitError, ProviderError
from gleitzeit_python.broker.artifacts import ArtifactTray
from gleitzeit_python.broker.crew import Crew
from gleitzeit_python.broker.frames import FrameError, FrameReader, framed
from gleitzeit_python.broker.messages import Ask, Call, End, Piece, Progress, read
from gleitzeit_python.broker.quota import Account, Quota
from gleitzeit_python.sandbox.base import Artifact, Host, Job

Send = Callable[[bytes], Awaitable[None]]


class Conversation:
    """Takes what the worker sends and answers by `send`; `over` is set once it has said its last, or must not go on.

    `end` is what it said last; `fault` why it was cut off instead. Requests are carried out in `tasks`, which have to
    be cancelled in the end; where it was `quiet`, there are none.
    """

    def __init__(self, job: Job, host: Host, send: Send, tasks: TaskGroup, quota: Quota | None = None) -> None:
        quota = quota or Quota()
        self.over = anyio.Event()
        self.end: End | None = None
        self.fault: str | None = None
        self.quiet = True
        self.account = Account(quota)
        self._job = job
        self._host = host
        self._send = send
        self._tasks = tasks
        self._frames = FrameReader()
        self._artifacts = ArtifactTray(job.limits.artifacts)
        self._crew = Crew(tasks, quota.at_once, self._carry_out)
        self._writing = anyio.Lock(fast_acquire=True)
        self._open: set[int] = set()
        self._report: Progress | None = None

    @property
    def artifacts(self) -> tuple[Artifact, ...]:
        """The files that came as a whole."""
        return self._artifacts.whole()

    def take(self, data: bytes) -> None:
        """Take bytes of the worker; never raises for what they are."""
        try:
            self.account.receive(data)
            self._frames.feed(data)
            while not self.over.is_set() and (frame := self._frames.next()) is not None:
                self._handle(frame)
        except FrameError as error:
            self.cut(f"the code sent {error}")

    def cut(self, fault: str) -> None:
        """Listen to nothing more."""
        if not self.over.is_set():
            self.fault = fault
            self.over.set()

    def _handle(self, frame: Mapping[str, Any]) -> None:
        match read(frame):
            case End() as end:
                self.end = end
                self.over.set()
            case Piece() as piece:
                self._artifacts.add(piece)
            case Progress() as progress:
                self._progress(progress)
            case Call() | Ask() as request:
                self._begin(request)

    def _progress(self, progress: Progress) -> None:
        """Tell the latest only: whoever tells it may be slower than the code."""
        if not self._job.interactive or not self.account.report():
            return
        self.quiet = False
        if self._report is None:
            self._tasks.start_soon(self._tell)
        self._report = progress

    async def _tell(self) -> None:
        report, self._report = self._report, None
        if report is not None:
            await self._host.progress(report.done, report.total, report.message)

    def _begin(self, request: Call | Ask) -> None:
        if not self._job.interactive:
            raise FrameError("a request, which this code may not")
        if request.id in self._open:
            raise FrameError("two requests with one id")
        self._open.add(request.id)
        self.quiet = False
        try:
            self.account.call()
        except LimitError as error:
            self._tasks.start_soon(self._answer, request, _refused(request, error))
        else:
            self._crew.take(request)

    async def _carry_out(self, request: Call | Ask) -> None:
        try:
            if isinstance(request, Call):
                result = await self._host.call(request.method, request.parameters)
            else:
                result = await self._host.ask(request.message, request.schema)
            data = self._framed({"id": request.id, "result": result})
        except GleitzeitError as error:
            data = _refused(request, error)
        await self._answer(request, data)

    async def _answer(self, request: Call | Ask, data: bytes) -> None:
        self._open.discard(request.id)
        with suppress(OSError, anyio.ClosedResourceError, anyio.BrokenResourceError):  # it may be gone by now
            await self.write(data)

    def _framed(self, answer: Mapping[str, Any]) -> bytes:
        try:
            data = framed(answer)
        except (TypeError, ValueError, RecursionError) as error:
            raise ProviderError(f"the result is not JSON data: {error}", retryable=False) from error
        self.account.send(len(data))
        return data

    async def write(self, data: bytes) -> None:
        """Send a whole frame, one after the other."""
        async with self._writing:
            await self._send(data)


def _refused(request: Call | Ask, error: GleitzeitError) -> bytes:
    told = {"code": error.code, "message": error.message, "hint": error.hint, "retryable": error.retryable}
    return framed({"id": request.id, "error": told})
