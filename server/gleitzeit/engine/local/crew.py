"""`Crew`: the tasks that carry out work, used again where that is safe, for starting one costs as much as most work."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextvars import Context, copy_context
from typing import Any, Protocol

import anyio

from gleitzeit.core.errors import ConflictError

logger = logging.getLogger("gleitzeit.engine")

_MOST_IDLE = 32
_TURN = 0.005
_LETTING_GO = 5.0


class Job(Protocol):
    """What a member of the crew can carry out."""

    async def run(self) -> bool:
        """Do it. Whatever goes wrong is dealt with inside; false where the task that it ran in is spoiled by that."""
        ...


class Crew:
    """Carries out everything at once that it is given, from when it is `open` until it is closed.

    Work that never waits for anything is done by one member, piece after piece: the next one is called before each
    piece, but has its turn only once that piece waits.

    Members are tasks of asyncio, not of an anyio task group, and a member that has waited for foreign code is not used
    again: a provider may leave behind a cancel scope, a timeout that is still to fire, or a context variable. That
    must reach neither the next task nor, through a task group, the whole engine. (Never using a member again would
    close the last gap, a timeout left behind by code that does not wait; it costs a fifth more a task.)
    """

    def __init__(self) -> None:
        self.closing = False
        self._members: set[asyncio.Task[Any]] = set()
        self._given: deque[Job] = deque()
        self._idle: list[asyncio.Future[None]] = []
        self._called = False
        self._busy = 0
        self._rest: anyio.Event | None = None
        self._turns = 0
        self._counting = False

    def open(self) -> None:
        """Begin."""
        self._loop = asyncio.get_running_loop()
        self._context: Context = copy_context()

    async def close(self) -> None:
        """End all members; those that do not end in time are left to the event loop."""
        self.closing = True
        self._given.clear()
        for member in self._members:
            member.cancel()
        if self._members:
            await asyncio.wait(self._members, timeout=_LETTING_GO)
        for member in self._members:
            logger.error("%s does not end although it was cancelled", member.get_name())

    def give(self, job: Job) -> None:
        """Have a job done."""
        self._given.append(job)
        if not self._called:
            self._call()

    def give_alone(self, job: Job) -> None:
        """Have a job of the engine's own done in a task that no provider has ever run in."""
        if self.closing:
            raise ConflictError("the engine is not running")
        self._watch(self._loop.create_task(self._run(job), context=self._context.copy()))

    async def resting(self) -> None:
        """Return once nothing is being done."""
        while self._busy or self._given:
            self._rest = self._rest or anyio.Event()
            await self._rest.wait()

    def _call(self) -> None:
        self._called = True
        while self._idle:
            called = self._idle.pop()
            if not called.done():
                called.set_result(None)
                return
        self._enlist()

    def _enlist(self) -> None:
        if self.closing:
            raise ConflictError("the engine is not running")
        self._watch(self._loop.create_task(self._serve(), context=self._context.copy()))

    def _watch(self, member: asyncio.Task[Any]) -> None:
        self._members.add(member)
        member.add_done_callback(self._dismiss)

    def _dismiss(self, member: asyncio.Task[Any]) -> None:
        self._members.discard(member)
        error = None if member.cancelled() else member.exception()
        if error is not None:  # a defect of ours, or anyio's last word on a scope that was left open
            logger.error("a member of the crew ended by an error", exc_info=error)
        if self._given and not self.closing:  # it may have been the one that was called
            self._call()

    async def _serve(self) -> None:
        while True:
            self._called = False
            if not await self._work() or len(self._idle) >= _MOST_IDLE:
                return
            called: asyncio.Future[None] = self._loop.create_future()
            self._idle.append(called)
            await called

    async def _work(self) -> bool:
        """Work until there is nothing left; false where this member must not be used again."""
        turn = time.monotonic() + _TURN
        while self._given:
            if time.monotonic() > turn:
                await asyncio.sleep(0)
                turn = time.monotonic() + _TURN
                continue
            if not await self._do(self._given.popleft()):
                return False
        return True

    async def _do(self, job: Job) -> bool:
        if self._given and not self._called:
            self._call()
        if not self._counting:
            self._counting = True
            self._loop.call_soon(self._count)
        turns = self._turns
        return await self._run(job) and turns == self._turns and self._is_unspoiled()

    async def _run(self, job: Job) -> bool:
        self._busy += 1
        try:
            return await job.run()
        except Exception:  # a defect of ours: it costs one job, and not all runs
            logger.exception("a job of the engine failed unexpectedly")
            return False
        finally:
            self._busy -= 1
            if not self._busy and self._rest is not None:
                self._rest.set()
                self._rest = None

    def _count(self) -> None:
        self._turns += 1
        self._counting = False

    def _is_unspoiled(self) -> bool:
        """Whether a job has left nothing behind in this task: no cancellation, no context variable."""
        task = asyncio.current_task()
        return task is not None and not task.cancelling() and copy_context() == self._context
