"""`Workshop`: carries out requests, each in its turn, in the tier that it is to have."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import anyio

from gleitzeit.core.errors import ProviderError
from gleitzeit.core.keys import is_call
from gleitzeit.providers.base import Readiness, TaskContext
from gleitzeit_python.config import PythonSettings
from gleitzeit_python.host import TaskHost
from gleitzeit_python.pace import Pace
from gleitzeit_python.requests.request import job_of, touches_files
from gleitzeit_python.results.keeping import keep
from gleitzeit_python.results.result import facts_of, result_of
from gleitzeit_python.sandbox.base import Job, Outcome, Sandbox, Tier
from gleitzeit_python.tiers import Prove, Tiers, Wanted
from gleitzeit_python.turns import Place, Turns
from gleitzeit_python.validation import inspection_of, verdict_of

_MARGIN = 0.1
_PART = 0.05


class Workshop:
    """One for each provider that runs."""

    def __init__(self, settings: PythonSettings, make: Callable[[Tier], Sandbox], prove: Prove | None = None) -> None:
        self.pace = Pace()
        self.tiers = Tiers(settings, make, prove)
        self._settings = settings
        self._turns = Turns(settings.workers)

    async def serve(self, *, task_status: Readiness) -> None:
        """Hold open what jobs need, from the first of them on."""
        await self.tiers.serve(task_status=task_status)

    async def execute(self, parameters: Mapping[str, Any], task: TaskContext) -> dict[str, Any]:
        """Run code."""
        job = await _prepared(lambda: job_of(parameters, self._settings, task.roots), parameters)
        wanted = Wanted(parameters.get("tier"), parameters.get("min_tier"))
        outcome = await self._run(job, wanted, task)
        task.record(**facts_of(outcome, job))
        result = result_of(outcome, job)
        if not job.artifacts:
            return result
        kept = await anyio.to_thread.run_sync(keep, outcome.artifacts, job.artifacts, task)
        task.record(artifacts=kept)
        return {"artifacts": kept, **result}

    async def validate(self, parameters: Mapping[str, Any], task: TaskContext) -> dict[str, Any]:
        """Look at code."""
        job = await _prepared(lambda: inspection_of(parameters, self._settings, task.roots), parameters)
        outcome = await self._run(job, Wanted(), task)
        task.record(sandbox=dict(outcome.facts))
        return verdict_of(outcome, job)

    async def _run(self, job: Job, wanted: Wanted, task: TaskContext) -> Outcome:
        sandbox = await self.tiers.sandbox(wanted)
        place = Place(None if is_call(task.task_id) else self._turns, task.run_id)
        async with place.held():
            host = TaskHost(task, self._settings.calls.allow, place)
            return await sandbox.run(_in_time(job, task.remaining), host)


async def _prepared(prepare: Callable[[], Job], parameters: Mapping[str, Any]) -> Job:
    return await anyio.to_thread.run_sync(prepare) if touches_files(parameters) else prepare()


def _in_time(job: Job, remaining: float | None) -> Job:
    """The job with a limit that ends before its task does, so that there is time to tell what it has printed."""
    if remaining is None or math.isinf(remaining):
        return job
    seconds = remaining - min(_MARGIN, remaining * _PART)
    if seconds <= 0:
        raise ProviderError("there was no time left when its turn came", retryable=True)
    return job if seconds >= job.limits.timeout else replace(job, limits=replace(job.limits, timeout=seconds))
