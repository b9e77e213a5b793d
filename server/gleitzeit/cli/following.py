"""Watching one run to its end, and cancelling it where a person or the time says so."""

from __future__ import annotations

import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

import anyio
from anyio.abc import TaskStatus

from gleitzeit.application import Undecided
from gleitzeit.cli import exits
from gleitzeit.cli.asking import ask
from gleitzeit.cli.last_resort import end_in_time, end_now
from gleitzeit.cli.output import say
from gleitzeit.cli.progress import shown_progress
from gleitzeit.cli.terminal import own_terminal
from gleitzeit.core.models import Event, Run
from gleitzeit.engine.base import Engine

End = Literal["over", "waiting", "interrupted", "timed out"]

_PARKING = frozenset({"task.waiting", "task.unknown"})


@dataclass(frozen=True, slots=True)
class Followed:
    """A run as it stood at the end, why nobody watches it any longer, and what has to be decided before it goes on."""

    run: Run
    end: End
    undecided: Undecided = field(default_factory=Undecided)


async def follow(
    engine: Engine, begin: Callable[[], Awaitable[Run]], timeout: float | None, *, lasting: bool
) -> Followed:
    """Begin a run and show its progress until it is over, waits for what will not come by itself, or is to be stopped.

    An interrupt and the timeout cancel the run; what was done by then is kept in it. An interrupt before it has begun
    raises `KeyboardInterrupt`. A run that is not `lasting` ends with this process, and no other one sees it.
    """
    follower = _Follower(engine, lasting=lasting)
    async with anyio.create_task_group() as tasks:
        if sys.platform != "win32":
            await tasks.start(follower.cancel_on_signal, tasks.cancel_scope)
        run = follower.run = await begin()
        with anyio.move_on_after(timeout) as limit:
            await follower.watch(run)
        if limit.cancelled_caught:
            await follower.stop(run, "timed out")
        tasks.cancel_scope.cancel()
    if follower.run is None:
        raise KeyboardInterrupt
    return Followed(await engine.get(follower.run.id), follower.end)


class _Follower:
    def __init__(self, engine: Engine, *, lasting: bool) -> None:
        self._engine = engine
        self._lasting = lasting
        self._terminal = own_terminal()
        self.run: Run | None = None
        self.end: End = "over"

    async def watch(self, run: Run) -> None:
        if await self._is_parked(run):
            self.end = "waiting"
            return
        asked = await self._show(run, run.seq)
        while asked is not None:  # the live table makes room for the question
            run = await self._engine.get(run.id)
            await self._ask(run, asked)
            asked = await self._show(run, asked.seq)

    async def _show(self, run: Run, after: int) -> Event | None:
        """Show what happens after an event, until a question comes that the person can answer; nothing at the end."""
        with shown_progress(run.tasks.values()) as show:
            async for event in self._engine.events(run.id, after):
                show(event)
                if event.kind in _PARKING and await self._is_parked(run):
                    self.end = "waiting"
                    return None
                if event.kind == "question.asked":
                    if self._terminal is not None:
                        return event
                    await self._ask(await self._engine.get(run.id), event)
        return None

    async def _ask(self, run: Run, asked: Event) -> None:
        for question in run.questions:
            if question.id != asked.data["question_id"]:
                continue
            if question.person and self._terminal is None and not self._lasting:
                await self._engine.cancel(run.id, "only a person can answer it, and there is no terminal to ask at")
            else:
                await ask(self._engine, run, question, self._terminal)

    async def cancel_on_signal(self, waiting: anyio.CancelScope, *, task_status: TaskStatus[None]) -> None:
        # A provider may be at work as soon as the run has begun, and may not let go of the process by itself.
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            task_status.started()
            async for _ in signals:
                if self.end == "interrupted":
                    end_now(exits.INTERRUPTED)
                if self.run is None:
                    waiting.cancel()
                    return
                say("cancelling the run; once more to leave at once")
                end_in_time(exits.INTERRUPTED)
                await self.stop(self.run, "interrupted")

    async def stop(self, run: Run, reason: Literal["interrupted", "timed out"]) -> None:
        self.end = reason
        await self._engine.cancel(run.id, reason)

    async def _is_parked(self, run: Run) -> bool:
        stands = await self._engine.get(run.id)
        return stands.status == "waiting" and not stands.questions
