"""Tools whose calls go on as tasks, where the client knows what to do with one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import anyio
import mcp_types as types
from mcp.shared.exceptions import MCPError
from tests.conformance.server.base import Answer, Run, Tool, parameters, said
from tests.conformance.server.jobs import Job, Jobs, Work
from tests.conformance.server.rounds import asked, content

from gleitzeit.mcp_server.server import Context
from gleitzeit.mcp_server.tasks.base import CallTask
from gleitzeit.mcp_server.tasks.extension import declares_tasks, requester_of, require_tasks
from gleitzeit.mcp_server.tasks.wire import created

WorkFor = Callable[[Mapping[str, Any]], Work]


def task_tools(jobs: Jobs) -> tuple[Tool, ...]:
    """The tools that start `jobs`."""
    seconds = parameters(seconds={"type": "number"})
    return (
        Tool("slow_compute", "Takes its time", _starts(jobs, _computing), seconds),
        Tool("failing_job", "Comes to an error", _starts(jobs, lambda _: _failing, required=True)),
        Tool("protocol_error_job", "Comes to no answer", _starts(jobs, lambda _: _breaking, required=True)),
        Tool("confirm_delete", "Asks one thing", _starts(jobs, lambda _: _confirming, required=True)),
        Tool("multi_input", "Asks two things at once", _starts(jobs, lambda _: _asking_twice, required=True)),
        Tool("test_tool_with_task", "Asks first, and then takes its time", _asks_and_starts(jobs)),
    )


def _starts(jobs: Jobs, work_for: WorkFor, *, required: bool = False) -> Run:
    async def run(context: Context, params: types.CallToolRequestParams) -> Answer:
        if required:
            require_tasks(context)
        return await _started(jobs, context, work_for(params.arguments or {}))

    return run


def _asks_and_starts(jobs: Jobs) -> Run:
    async def run(context: Context, params: types.CallToolRequestParams) -> Answer:
        require_tasks(context)
        filled = content((params.input_responses or {}).get("user_name"))
        if filled is None:
            return types.InputRequiredResult(input_requests={"user_name": asked("What is your name?", "name")})
        return await _started(jobs, context, _greeting(str(filled["name"])))

    return run


async def _started(jobs: Jobs, context: Context, work: Work) -> Answer:
    requester = requester_of(context)
    task = jobs.start(requester.caller.name, work)
    if declares_tasks(context):
        return created(task)
    seen: list[CallTask] = []

    async def see(state: CallTask) -> None:
        seen.append(state)

    await jobs.watch(requester, task.id, see)
    result = seen[-1].result
    if result is None:
        raise MCPError(code=types.INTERNAL_ERROR, message="the task has come to no result")
    return dict(result)


def _computing(arguments: Mapping[str, Any]) -> Work:
    seconds = float(arguments.get("seconds", 0))

    async def work(job: Job) -> types.CallToolResult:
        await anyio.sleep(seconds)
        return said(f"computed for {seconds} seconds")

    return work


async def _failing(job: Job) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(type="text", text="the job has failed")], is_error=True)


async def _breaking(job: Job) -> types.CallToolResult:
    raise MCPError(code=types.INTERNAL_ERROR, message="the job broke down")


async def _confirming(job: Job) -> types.CallToolResult:
    replies = await job.ask(confirm=asked("Delete it?", "confirm", "boolean"))
    return said(f"deleted: {content(replies['confirm'])}")


async def _asking_twice(job: Job) -> types.CallToolResult:
    replies = await job.ask(name=asked("Who?", "name"), colour=asked("Which colour?", "colour"))
    return said(f"{content(replies['name'])} {content(replies['colour'])}")


def _greeting(name: str) -> Work:
    async def work(job: Job) -> types.CallToolResult:
        return said(f"Hello, {name}!")

    return work
