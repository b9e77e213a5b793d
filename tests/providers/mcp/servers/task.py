"""Calls of tools as a task makes them, and the person behind it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import anyio

from gleitzeit.core.models import Run, Workflow
from gleitzeit.providers.base import TaskContext, TaskSupport, enter_task
from gleitzeit_mcp import MCPHubProvider

Report = tuple[float | None, float | None, str | None]
Schema = Mapping[str, Any] | None


class Person:
    """Keeps what a task reports and asks, and answers its questions by `answer(message, schema)`."""

    def __init__(self, answer: Callable[[str, Schema], Any] | None = None) -> None:
        self.reports: list[Report] = []
        self.reported = anyio.Event()
        self.questions: list[tuple[str, Schema]] = []
        self._answer = answer

    async def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        self.reports.append((done, total, message))
        self.reported.set()

    async def start_child(self, method: str, parameters: Mapping[str, Any]) -> Any:
        raise NotImplementedError

    async def start_workflow(self, workflow: Workflow, inputs: Mapping[str, Any]) -> Run:
        raise NotImplementedError

    async def ask(self, message: str, schema: Schema, **_: Any) -> Any:
        self.questions.append((message, schema))
        if self._answer is None:
            raise NotImplementedError
        return self._answer(message, schema)


def task(within: float | None = None, support: TaskSupport | None = None, run: str = "run") -> TaskContext:
    """A task of a run that has to be over `within` seconds."""
    deadline = None if within is None else time.monotonic() + within
    context = TaskContext(run_id=run, task_id="task", deadline=deadline)
    return context if support is None else replace(context, support=support)


async def called(
    hub: MCPHubProvider, tool: str, parameters: Mapping[str, Any] | None = None, *, by: TaskContext | None = None
) -> dict[str, Any]:
    """The result of a tool, called by a task."""
    leave = enter_task(by or TaskContext())
    try:
        result: dict[str, Any] = await hub.handle_request(f"mcp/tool.{tool}", dict(parameters or {}))
    finally:
        leave()
    return result


async def heard(hub: MCPHubProvider, server: str, method: str) -> list[dict[str, Any]]:
    """The messages with that method that reached one of the servers by now."""
    messages: list[dict[str, Any]] = (await called(hub, f"{server}.heard"))["messages"]
    return [message for message in messages if message.get("method") == method]


async def process_of(hub: MCPHubProvider, server: str) -> int:
    """The process id of one of the servers."""
    pid: int = (await called(hub, f"{server}.process"))["pid"]
    return pid


async def row_of(hub: MCPHubProvider, server: str) -> dict[str, Any]:
    """What `mcp/servers` shows of one of the servers."""
    rows: list[dict[str, Any]] = (await hub.handle_request("mcp/servers", {}))["servers"]
    return next(row for row in rows if row["name"] == server)


async def row_once(hub: MCPHubProvider, server: str, *states: str) -> dict[str, Any]:
    """The same, as soon as the server is in one of these states."""
    connection = hub.connection(server)
    while connection.state not in states:
        await connection.next_change()
    return await row_of(hub, server)
