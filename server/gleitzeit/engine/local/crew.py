"""`Crew`: the tasks that carry out work, used again and again, for starting one costs more than most work does."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Protocol

import anyio
import anyio.lowlevel
from anyio.abc import TaskGroup

from gleitzeit.core.errors import ConflictError

_MOST_IDLE = 32
_TURN = 0.005


class Job(Protocol):
    """What a member of the crew can carry out."""

    async def run(self) -> None:
        """Do it. Whatever goes wrong is dealt with inside; only what ends the whole process is raised."""
        ...


class Crew:
    """Carries out everything at once that it is given, from when it is `open` on.

    Work that never waits for anything is done by one member, piece after piece: the next one is called before each
    piece, but has its turn only once that piece waits. When a member has nothing left, it does what comes `between`,
    after which there may be more.
    """

    def __init__(self) -> None:
        self._group: TaskGroup | None = None
        self._given: deque[Job] = deque()
        self._idle: list[anyio.Event] = []
        self._called = False
        self._leading = False
        self._busy = 0
        self._rest: anyio.Event | None = None

    def open(self, group: TaskGroup, between: Callable[[Callable[[], None]], Awaitable[None]]) -> None:
        """Have its members live in `group` from now on. `between` calls what it is given where it takes longer."""
        self._group = group
        self._between = between

    def give(self, job: Job) -> None:
        """Have a job done."""
        self._given.append(job)
        if not (self._called or self._leading):
            self._call()

    async def resting(self) -> None:
        """Return once nothing is being done."""
        while self._busy or self._given:
            self._rest = self._rest or anyio.Event()
            await self._rest.wait()

    def _call(self) -> None:
        self._called = True
        if self._idle:
            self._idle.pop().set()
        else:
            self._enlist()

    def _enlist(self) -> None:
        if self._group is None:
            raise ConflictError("the engine is not running")
        self._group.start_soon(self._serve)

    async def _serve(self) -> None:
        while True:
            self._called = False
            await self._work()
            if len(self._idle) >= _MOST_IDLE or not await self._wait():
                return

    async def _wait(self) -> bool:
        """Return once it is called; false where this task was cancelled by foreign hands, which ends it alone."""
        called = anyio.Event()
        self._idle.append(called)
        try:
            await called.wait()
        except anyio.get_cancelled_exc_class():
            if anyio.current_effective_deadline() == -math.inf:
                raise
            if called.is_set():
                self._enlist()
            else:
                self._idle.remove(called)
            return False
        return True

    async def _work(self) -> None:
        turn = time.monotonic() + _TURN
        while True:
            while self._given:
                if time.monotonic() > turn:
                    await anyio.lowlevel.checkpoint()
                    turn = time.monotonic() + _TURN
                    continue
                await self._do(self._given.popleft())
            if not self._leading:
                await self._lead()
            if not self._given:
                return

    async def _do(self, job: Job) -> None:
        self._help()
        self._busy += 1
        try:
            await job.run()
        finally:
            self._busy -= 1
            if not self._busy and self._rest is not None:
                self._rest.set()
                self._rest = None
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            await _shake_off(task)

    async def _lead(self) -> None:
        self._leading = True  # what is given meanwhile is done here, and nobody has to be called for it
        try:
            await self._between(self._help)
        finally:
            self._leading = False

    def _help(self) -> None:
        """Call somebody for what is left, for who might have done it does something else now."""
        if self._given and not self._called:
            self._call()


async def _shake_off(task: asyncio.Task[object]) -> None:
    """Take a cancellation from a task that a provider has left behind in it: the next wait would be cut off."""
    if anyio.current_effective_deadline() == -math.inf:
        return
    try:
        await asyncio.sleep(0)
    except asyncio.CancelledError:
        if anyio.current_effective_deadline() == -math.inf:
            raise
    while task.cancelling():
        task.uncancel()
