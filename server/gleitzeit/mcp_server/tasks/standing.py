"""How a run stands, as a task."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from mcp_types.version import LATEST_MODERN_VERSION

from gleitzeit.core.models import Run
from gleitzeit.mcp_server.rendering.answer import BYTES_A_TOKEN
from gleitzeit.mcp_server.rendering.result import call_result
from gleitzeit.mcp_server.tasks.base import CallTask
from gleitzeit.mcp_server.tasks.names import Telling
from gleitzeit.mcp_server.tools.content import server_answer
from gleitzeit.mcp_server.tools.next_step import abandoned_next
from gleitzeit.mcp_server.tools.outcome import method_answer, run_answer, summary

if TYPE_CHECKING:  # at run time the task brings it
    from gleitzeit.application import Application

_DAY = 86_400.0
_SHORTEST_POLL, _LONGEST_POLL = 0.5, 5.0


async def standing(application: Application, run: Run, task_id: str) -> CallTask:
    """The task of a run that goes on."""
    updated = _updated(run)
    return CallTask(
        id=task_id,
        status="working",
        created_at=run.created_at,
        updated_at=updated,
        ttl=_ttl(application, run),
        poll_interval=poll_interval(time.time() - updated),
        message=await _message(application, run),
    )


def _updated(run: Run) -> float:
    """When the run has changed last, of what is known of it."""
    moments = [run.created_at, run.finished_at, *(question.asked_at for question in run.questions)]
    moments += [moment for task in run.tasks.values() for moment in (task.started_at, task.finished_at)]
    return max(moment for moment in moments if moment is not None)


def _ttl(application: Application, run: Run) -> float | None:
    """How long it is kept, from its creation on: for ever, where it is not over yet."""
    days = application.config.engine.keep.days
    if days is None or run.finished_at is None:
        return None
    return run.finished_at - run.created_at + days * _DAY


async def _message(application: Application, run: Run) -> str:
    abandoned = None if run.over else await application.abandoned(run)
    return summary(run) if abandoned is None else f"{summary(run)} {abandoned_next(run, abandoned)}"


async def told(application: Application, run: Run, telling: Telling) -> dict[str, Any]:
    """What the tool would have answered had it waited until now."""
    budget = application.config.limits.result_tokens * BYTES_A_TOKEN
    if telling == "run":
        answer = run_answer(run, budget, await application.undecided(run))
    else:
        answer = method_answer(run, budget) if telling == "method" else server_answer(run, budget)
    return call_result(answer, LATEST_MODERN_VERSION)


def poll_interval(age: float) -> float:
    """How many seconds to let pass before the next look, where the last change is `age` seconds ago."""
    return min(max(age / 10, _SHORTEST_POLL), _LONGEST_POLL)
