"""Waiting for a run while the client is told how far it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, cast

import anyio

from gleitzeit.core.keys import is_call
from gleitzeit.core.models import OVER, Event, Run, TaskResult
from gleitzeit.mcp_server.tools.call import Call

_STEP = 1 / 32


async def watch(call: Call, run: Run, seconds: float) -> Run:
    """The run once it is over, or as it stands after `seconds` or where it waits for what its host can't ask.

    Meanwhile its events go to a client that wants them. While a person is asked, the seconds stand still. Raises
    `AnswersNeededError` where the call has to end for that.
    """
    if not seconds or run.over:
        return run
    engine, due = call.application.engine, time.monotonic() + seconds
    meter = Meter(run.tasks) if call.report else None
    while True:
        run = await _watched(call, run, max(0.0, due - time.monotonic()), meter)
        if call.host is None or not run.questions:
            return run
        began = time.monotonic()
        if not await call.host.ask(engine, run, call.caller.sees):
            return run
        due += time.monotonic() - began
        run = await engine.get(run.id, caller=call.caller.sees)


async def _watched(call: Call, run: Run, seconds: float, meter: Meter | None) -> Run:
    """The run once it is over or waits for somebody, or as it stands after `seconds`."""
    engine = call.application.engine
    if run.over or run.questions:
        return run
    if call.report is None or meter is None:
        return await engine.wait(run.id, seconds, caller=call.caller.sees)
    with anyio.move_on_after(seconds):
        async for event in engine.events(run.id, run.seq, caller=call.caller.sees):
            progress = meter.after(event)
            if progress is not None:
                await call.report(progress, meter.total, words(event))
            if event.kind == "question.asked":
                break
    return await engine.get(run.id, caller=call.caller.sees)


class Meter:
    """How far a run is, as a number that only grows: finished tasks, and some of the next one."""

    def __init__(self, tasks: Mapping[str, TaskResult]) -> None:
        self.total = len(tasks)
        self._open = {task_id for task_id, task in tasks.items() if task.status not in OVER}
        self._shown = -1.0

    def after(self, event: Event) -> float | None:
        """How far it is after `event`; nothing where the number would not grow."""
        if event.kind.removeprefix("task.") in OVER:
            self._open.discard(event.task_id or "")
        finished = self.total - len(self._open)
        own = self.total == 1 and not is_call(event.task_id or "")  # a call counts something of its own
        fraction = _fraction(event.data) if own else 0.0
        value = max(finished + fraction, self._shown + (finished + 1 - self._shown) * _STEP)
        if value <= self._shown or value > self.total:
            return None
        self._shown = value
        return value


def words(event: Event) -> str:
    """What happened, in a line."""
    subject, _, verb = event.kind.partition(".")
    name = event.task_id or subject
    if verb == "progress":
        return f"{name}: {_steps(event.data) or 'under way'}"
    error: Any = event.data.get("error")
    said = cast("Mapping[str, Any]", error if isinstance(error, Mapping) else event.data)
    reason: Any = said.get("message") or said.get("reason")
    if subject == "question":
        verb = f"question {verb}"
    return f"{name} {verb}: {reason}" if reason else f"{name} {verb}"


def _steps(data: Mapping[str, Any]) -> str:
    done, total, message = data.get("done"), data.get("total"), data.get("message")
    count = f"{done:g}/{total:g}" if isinstance(done, int | float) and isinstance(total, int | float) else ""
    return " ".join(part for part in (message or "", count) if part)


def _fraction(data: Mapping[str, Any]) -> float:
    done, total = data.get("done"), data.get("total")
    if isinstance(done, int | float) and isinstance(total, int | float) and total > 0:
        return min(max(done / total, 0.0), 0.99)
    return 0.0
