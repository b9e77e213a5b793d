"""Calls that become tasks, for servers of the SDK: the extension `io.modelcontextprotocol/tasks`, which it lacks."""

from __future__ import annotations

import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import anyio
from anyio.abc import TaskGroup
from mcp import MCPError
from mcp.server import ServerRequestContext
from mcp.server.context import CallNext, HandlerResult
from mcp.server.extension import Extension, MethodBinding
from mcp.server.mcpserver import require_client_extension
from mcp_types import INVALID_PARAMS, CallToolRequestParams, RequestParams

EXTENSION = "io.modelcontextprotocol/tasks"
MODERN = frozenset({"2026-07-28"})

Context = ServerRequestContext[Any, Any]
Asked = dict[str, dict[str, Any]]


class JobParams(RequestParams):
    """Which one is meant."""

    task_id: str


class AnswerParams(JobParams):
    """Answers to what one of them asks."""

    input_responses: dict[str, dict[str, Any]]


class Job:
    """One of them, while its function works on it, and after."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self.arguments = arguments
        self.scope = anyio.CancelScope()
        self.stale: Asked = {}
        self._state: dict[str, Any] = {
            "taskId": uuid.uuid4().hex,
            "status": "working",
            "createdAt": _now(),
            "ttlMs": 60_000,
            "pollIntervalMs": 50,
        }
        self._answers: dict[str, dict[str, Any]] = {}
        self._answered = anyio.Event()

    @property
    def id(self) -> str:
        """Its id."""
        return str(self._state["taskId"])

    def shown(self) -> dict[str, Any]:
        """Its state; what was answered already is shown once more, as the extension allows."""
        state = {**self._state, "lastUpdatedAt": _now()}
        if self.stale:
            state |= {"status": "input_required", "inputRequests": self.stale}
            self.stale = {}
        return state

    def say(self, message: str) -> None:
        """Tell how far it is."""
        self._state["statusMessage"] = message

    def end(self, status: str, **outcome: Any) -> None:
        """Let that be its end."""
        self._state |= {"status": status, **outcome}

    async def ask(self, requests: Asked) -> dict[str, dict[str, Any]]:
        """The answers to these requests, once all are there."""
        self._answered = anyio.Event()
        self._state |= {"status": "input_required", "inputRequests": requests}
        while not requests.keys() <= self._answers.keys():
            await self._answered.wait()
            self._answered = anyio.Event()
        del self._state["inputRequests"]
        self._state["status"] = "working"
        self.stale = requests
        return {key: self._answers[key] for key in requests}

    def take(self, answers: Mapping[str, dict[str, Any]]) -> None:
        """Take in answers. Raises `MCPError` for one to a question that was answered already."""
        twice = answers.keys() & self._answers.keys()
        if twice:
            raise MCPError(code=INVALID_PARAMS, message=f"answered twice: {', '.join(twice)}")
        self._answers |= answers
        self._answered.set()


Work = Callable[[Job], Awaitable[dict[str, Any]]]


class Jobs(Extension):
    """Carries out some tools as tasks for clients that know them."""

    identifier = EXTENSION

    def __init__(self, works: Mapping[str, Work]) -> None:
        self._works = works
        self._jobs: dict[str, Job] = {}
        self._group: TaskGroup

    @asynccontextmanager
    async def lifespan(self, _server: Any) -> AsyncGenerator[None]:
        """What they run in."""
        async with anyio.create_task_group() as self._group:
            yield
            self._group.cancel_scope.cancel()

    def methods(self) -> Sequence[MethodBinding]:
        """The methods of the extension."""
        return [
            MethodBinding("tasks/get", JobParams, self._get, MODERN),
            MethodBinding("tasks/update", AnswerParams, self._update, MODERN),
            MethodBinding("tasks/cancel", JobParams, self._cancel, MODERN),
        ]

    async def intercept_tool_call(
        self, params: CallToolRequestParams, ctx: Context, call_next: CallNext
    ) -> HandlerResult:
        """Begin a task, where there is one by that name and the client can follow it."""
        capabilities = ctx.session.client_capabilities
        modern = ctx.protocol_version in MODERN
        known = modern and EXTENSION in ((capabilities and capabilities.extensions) or {})
        if params.name not in self._works or not known:
            return await call_next(ctx)
        job = Job(params.arguments or {})
        self._jobs[job.id] = job
        self._group.start_soon(self._carry_out, job, self._works[params.name])
        return {"resultType": "task", **job.shown()}

    async def _carry_out(self, job: Job, work: Work) -> None:
        with job.scope:
            try:
                job.end("completed", result=await work(job))
            except MCPError as error:
                job.end("failed", error={"code": error.code, "message": error.message})
        if job.scope.cancelled_caught:
            job.end("cancelled")

    async def _get(self, ctx: Context, params: JobParams) -> HandlerResult:
        return {"resultType": "complete", **self._job(ctx, params).shown()}

    async def _update(self, ctx: Context, params: AnswerParams) -> HandlerResult:
        self._job(ctx, params).take(params.input_responses)
        return {"resultType": "complete"}

    async def _cancel(self, ctx: Context, params: JobParams) -> HandlerResult:
        self._job(ctx, params).scope.cancel()
        return {"resultType": "complete"}

    def _job(self, ctx: Context, params: JobParams) -> Job:
        require_client_extension(ctx, EXTENSION)
        if params.task_id not in self._jobs:
            raise MCPError(code=INVALID_PARAMS, message=f"there is no task {params.task_id}")
        return self._jobs[params.task_id]


def _now() -> str:
    return datetime.now(UTC).isoformat()
