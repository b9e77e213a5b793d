"""The extension `io.modelcontextprotocol/tasks` as part of a server: its requests, its notifications, and who gets any.

Only a request of the modern era that declares the extension itself can be answered with a task, or ask for one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import mcp_types as types
from mcp.server import Server, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp.shared.inbound import MCP_METHOD_HEADER, MCP_NAME_HEADER, decode_header_value
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from gleitzeit.core.data import is_list
from gleitzeit.core.errors import NotFoundError
from gleitzeit.mcp_server.access.caller import caller_of
from gleitzeit.mcp_server.protocol_errors import protocol_errors
from gleitzeit.mcp_server.subscriptions.base import Feed, Tell
from gleitzeit.mcp_server.tasks.base import CallTask, Requester, TaskSource
from gleitzeit.mcp_server.tasks.wire import TaskParams, UpdateParams, detailed
from gleitzeit.mcp_server.tools.origin import has_person

EXTENSION = "io.modelcontextprotocol/tasks"
MOST_TASKS = 256

OpenSource = Callable[[], TaskSource]
"""Gives the source of tasks, once somebody asks for one."""

Context = ServerRequestContext[Any, Any]


def declares_tasks(context: Context) -> bool:
    """Whether the client has said, on this very request, that it knows what to do with a task."""
    capabilities = context.session.client_capabilities
    declared = capabilities is not None and EXTENSION in (capabilities.extensions or {})
    return declared and context.protocol_version in MODERN_PROTOCOL_VERSIONS


def require_tasks(context: Context) -> None:
    """Raise `MCPError` where a request can only be served to a client that knows what to do with a task."""
    if declares_tasks(context):
        return
    needed: dict[str, Any] = {"requiredCapabilities": {"extensions": {EXTENSION: {}}}}
    message = f"the client has not declared the extension {EXTENSION} on this request"
    raise MCPError(code=types.MISSING_REQUIRED_CLIENT_CAPABILITY, message=message, data=needed)


def requester_of(context: Context) -> Requester:
    """Who asks for a task, and whether their client can ask a person by a form."""
    capabilities = context.session.client_capabilities
    elicitation = None if capabilities is None else capabilities.elicitation
    asks = elicitation is not None and (elicitation.form is not None or elicitation.url is None)
    return Requester(caller_of(context), asks=asks, person=asks and has_person(context.params))


def serve_tasks(server: Server[Any], source: OpenSource) -> TaskFeed:
    """Have `server` serve the tasks of a source; the feed that is returned has to be among those that it serves."""
    requests = _Requests(source)
    server.extensions[EXTENSION] = {}
    server.add_request_handler("tasks/get", TaskParams, requests.get)
    server.add_request_handler("tasks/update", UpdateParams, requests.update)
    server.add_request_handler("tasks/cancel", TaskParams, requests.cancel)
    return TaskFeed(source)


class _Requests:
    """The requests about one task each."""

    def __init__(self, source: OpenSource) -> None:
        self._source = source

    async def get(self, context: Context, params: TaskParams) -> dict[str, Any]:
        _admit(context, params)
        with protocol_errors():
            task = await self._source().get(requester_of(context), params.task_id)
        return {"resultType": "complete", **detailed(task)}

    async def update(self, context: Context, params: UpdateParams) -> types.EmptyResult:
        _admit(context, params)
        with protocol_errors():
            await self._source().update(requester_of(context), params.task_id, params.input_responses)
        return types.EmptyResult()

    async def cancel(self, context: Context, params: TaskParams) -> types.EmptyResult:
        _admit(context, params)
        with protocol_errors():
            await self._source().cancel(requester_of(context), params.task_id)
        return types.EmptyResult()


class TaskFeed(Feed):
    """How tasks stand, for clients that do not want to ask again and again."""

    key = "taskIds"
    method = "notifications/tasks"

    def __init__(self, source: OpenSource) -> None:
        self._source = source

    async def honored(self, context: Context, wanted: Any) -> Sequence[str]:
        """Of the ids that a client asks for, those of tasks that it has."""
        require_tasks(context)
        if not is_list(wanted) or not all(isinstance(task_id, str) for task_id in wanted):
            raise MCPError(code=types.INVALID_PARAMS, message="taskIds has to be a list of ids")
        found: list[str] = []
        with protocol_errors():
            for task_id in list(dict.fromkeys(wanted))[:MOST_TASKS]:
                with suppress(NotFoundError):
                    await self._source().get(requester_of(context), task_id)
                    found.append(task_id)
        return found

    async def follow(self, context: Context, name: str, tell: Tell) -> None:
        """Tell a task as it stands, and again each time that it has changed."""

        async def tell_task(task: CallTask) -> None:
            await tell(detailed(task))

        await self._source().watch(requester_of(context), name, tell_task)


def _admit(context: Context, params: TaskParams) -> None:
    """Raise `MCPError` for a request that may not ask for a task, or names another than its header does."""
    if context.protocol_version not in MODERN_PROTOCOL_VERSIONS:
        raise MCPError(code=types.METHOD_NOT_FOUND, message="Method not found", data=context.method)
    headers = getattr(context.request, "headers", {})
    # Only a request that came with the routing headers at all has travelled by them.
    if MCP_METHOD_HEADER in headers and decode_header_value(headers.get(MCP_NAME_HEADER)) != params.task_id:
        message = f"the header {MCP_NAME_HEADER} does not match the request's taskId"
        raise MCPError(code=types.HEADER_MISMATCH, message=message)
    require_tasks(context)
