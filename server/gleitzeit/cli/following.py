"""Watching one run to its end, and cancelling it where a person or the time says so."""

from __future__ import annotations

import signal
import sys
from dataclasses import dataclass
from typing import Literal

import anyio

from gleitzeit.cli import exits
from gleitzeit.cli.last_resort import end_in_time, end_now
from gleitzeit.cli.output import say
from gleitzeit.cli.progress import shown_progress
from gleitzeit.core.models import Run
from gleitzeit.engine.base import Engine

End = Literal["over", "waiting", "interrupted", "timed out"]

_PARKING = frozenset({"task.waiting", "task.unknown"})


@dataclass(frozen=True, slots=True)
class Followed:
    """A run as it stood at the end, and why nobody watches it any longer."""

    run: Run
    end: End


async def follow(engine: Engine, run: Run, timeout: float | None) -> Followed:
    """Show a run's progress until it is over, waits for what will not come by itself, or is to be stopped.

    An interrupt and the timeout cancel the run; what was done by then is kept in it.
    """
    follower = _Follower(engine, run)
    async with anyio.create_task_group() as tasks:
        if sys.platform != "win32":
            tasks.start_soon(follower.cancel_on_signal)
        with anyio.move_on_after(timeout) as limit:
            await follower.watch()
        if limit.cancelled_caught:
            await follower.stop("timed out")
        tasks.cancel_scope.cancel()
    return Followed(await engine.get(run.id), follower.end)


class _Follower:
    def __init__(self, engine: Engine, run: Run) -> None:
        self._engine = engine
        self._run = run
        self.end: End = "over"

    async def watch(self) -> None:
        with shown_progress(self._run.tasks) as show:
            async for event in self._engine.events(self._run.id):
                show(event)
                if event.kind in _PARKING and await self._is_parked():
                    self.end = "waiting"
                    return

    async def cancel_on_signal(self) -> None:
        with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
            async for _ in signals:
                if self.end == "interrupted":
                    end_now(exits.INTERRUPTED)
                say("cancelling the run; once more to leave at once")
                end_in_time(exits.INTERRUPTED)
                await self.stop("interrupted")

    async def stop(self, reason: Literal["interrupted", "timed out"]) -> None:
        self.end = reason
        await self._engine.cancel(self._run.id, reason)

    async def _is_parked(self) -> bool:
        return (await self._engine.get(self._run.id)).status == "waiting"
