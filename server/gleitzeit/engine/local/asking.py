"""`Asking`: questions of tasks, from when they are asked to their answer, which whoever submitted the run may give."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio

from gleitzeit.core.errors import ConflictError
from gleitzeit.core.keys import maker_of
from gleitzeit.engine.base import Reply
from gleitzeit.engine.local.context import EngineParts
from gleitzeit.engine.local.deadline import Deadline, held
from gleitzeit.engine.local.inquiry import Inquiry, Place
from gleitzeit.engine.local.lending import slot_lent
from gleitzeit.engine.local.open_runs import OpenRuns
from gleitzeit.engine.local.runner import Runner


class Asking:
    """A question is open at the run of the task that asks, and at each run that has started that one.

    While it is, the time limits of all that wait for it stand still, and the slot of the task is lent to others.
    `listen` looks at what other processes have left: one may have answered while nobody asked.
    """

    def __init__(self, parts: EngineParts, open_runs: OpenRuns, listen: Callable[[], Awaitable[None]]) -> None:
        self._parts = parts
        self._open_runs = open_runs
        self._listen = listen

    async def ask(self, run_id: str, key: str, inquiry: Inquiry) -> dict[str, Any]:
        """The content of the answer. `key` is that of a task, an item, or of a call that one of them makes."""
        runner = self._open_runs.find(run_id)
        if inquiry.settled:
            return await inquiry.content()
        if runner is None or runner.ending:
            raise ConflictError(f"the run {run_id} is over and asks nothing more")
        asked = list(self._line(runner, key))
        work = runner.works.get(maker_of(key))
        # First of all: what is refused must hold no time limit, or asking again and again would be a way past them.
        inquiry.open([Place(one, maker_of(waiting)) for one, waiting in asked])
        with held(deadline for one, waiting in asked for deadline in _deadlines(one, waiting)):
            async with slot_lent(work, self._parts.slots):
                return await self._answer(inquiry, restored=runner.restored)

    async def answer(self, runner: Runner, question_id: str, reply: Reply) -> None:
        """Give a reply to an open question, and return once it is recorded that it is closed."""
        for written in runner.questions.find(question_id).answer(reply):
            await written.wait()

    async def _answer(self, inquiry: Inquiry, *, restored: bool) -> dict[str, Any]:
        """The answer to an open question, or its default once its time is over; it is closed afterwards."""
        try:
            if restored:  # what was left in time counts, even where the time is over by now
                await self._listen()
            with anyio.move_on_after(inquiry.time_left):
                return await inquiry.content()
            inquiry.expire()
            return await inquiry.content()
        finally:
            inquiry.withdraw()

    def _line(self, runner: Runner, key: str) -> Iterator[tuple[Runner, str]]:
        """The run that asks and those that have started it, each with the task or call that waits for the answer."""
        asking: Runner | None = runner
        while asking is not None:
            yield asking, key
            key = asking.row.parent_task or ""
            asking = self._open_runs.find(asking.row.parent_id or "")


def _deadlines(runner: Runner, key: str) -> list[Deadline]:
    work = runner.works.get(maker_of(key))
    own = [] if runner.deadline is None else [runner.deadline]
    return own if work is None else [*own, *work.deadlines(key)]
