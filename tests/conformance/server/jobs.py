"""Calls that go on as tasks, in the memory of the server."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from uuid import uuid4

import anyio
import mcp_types as types
from anyio.abc import TaskGroup
from mcp.shared.exceptions import MCPError
from pydantic import ValidationError as MalformedResultError

from gleitzeit.core.errors import NotFoundError, ValidationError
from gleitzeit.mcp_server.tasks.base import CallTask, InputResponses, Requester, TaskSource, Tell

_KEPT = 3600.0
_POLL_INTERVAL = 0.1


class Job:
    """One call that goes on, and what it waits for."""

    def __init__(self, owner: str) -> None:
        now = time.time()
        self.owner = owner
        self.scope = anyio.CancelScope()
        self.changed = anyio.Event()
        self.task = CallTask(uuid4().hex, "working", now, now, ttl=_KEPT, poll_interval=_POLL_INTERVAL)
        self._replies: dict[str, types.ElicitResult] = {}

    async def ask(self, **requests: types.InputRequest) -> Mapping[str, types.ElicitResult]:
        """Have the client ask for several things, and return the replies once all are there."""
        self.become("input_required", input_requests=requests)
        while self.task.input_requests:
            await self.changed.wait()
        self.become("working")
        return self._replies

    def reply(self, key: str, reply: types.ElicitResult) -> None:
        """Take one reply."""
        self._replies[key] = reply
        left = {name: request for name, request in self.task.input_requests.items() if name != key}
        self.become(self.task.status, input_requests=left)

    def become(self, status: Any, **changes: Any) -> None:
        """Go on to another state, and tell those who wait for that."""
        cleared: dict[str, Any] = {} if "input_requests" in changes else {"input_requests": {}}
        self.task = replace(self.task, status=status, updated_at=time.time(), **cleared, **changes)
        self.changed.set()
        self.changed = anyio.Event()


Work = Callable[[Job], Awaitable[types.CallToolResult]]


class Jobs(TaskSource):
    """All jobs of one server; none outlives it."""

    def __init__(self, tasks: TaskGroup) -> None:
        self._tasks = tasks
        self._jobs: dict[str, Job] = {}

    def start(self, owner: str, work: Work) -> CallTask:
        """Begin a job, and return its task as it stands."""
        job = Job(owner)
        self._jobs[job.task.id] = job
        self._tasks.start_soon(_carry_out, job, work)
        return job.task

    async def get(self, requester: Requester, task_id: str) -> CallTask:
        """The task as it stands now."""
        return self._job(requester, task_id).task

    async def update(self, requester: Requester, task_id: str, responses: InputResponses) -> None:
        """Hand in replies to what the job asks."""
        job = self._job(requester, task_id)
        for key in [key for key in responses if key in job.task.input_requests]:
            try:
                job.reply(key, types.ElicitResult.model_validate(responses[key]))
            except MalformedResultError as error:
                raise ValidationError(f"{key} is no answer to a form") from error

    async def cancel(self, requester: Requester, task_id: str) -> None:
        """Stop the job."""
        self._job(requester, task_id).scope.cancel()

    async def watch(self, requester: Requester, task_id: str, tell: Tell) -> None:
        """Tell the task each time that it has changed."""
        job = self._job(requester, task_id)
        while True:
            changed, task = job.changed, job.task
            await tell(task)
            if task.over:
                return
            await changed.wait()

    def _job(self, requester: Requester, task_id: str) -> Job:
        job = self._jobs.get(task_id)
        if job is None or job.owner != requester.caller.name:
            raise NotFoundError(f"there is no task {task_id}")
        return job


async def _carry_out(job: Job, work: Work) -> None:
    with job.scope:
        try:
            result = await work(job)
            job.become("completed", result=result.model_dump(by_alias=True, mode="json", exclude_none=True))
        except MCPError as error:
            job.become("failed", error=error.error)
    if job.scope.cancelled_caught:
        job.become("cancelled")
