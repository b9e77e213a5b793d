"""A client of the extension, as a host would write one on the SDK."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any, Literal

import anyio
import mcp_types as types
from mcp import Client
from mcp.client import ClaimContext, ClientExtension, NotificationBinding, ResultClaim
from pydantic import ConfigDict

EXTENSION = "io.modelcontextprotocol/tasks"
OVER = ("completed", "failed", "cancelled")
Data = dict[str, Any]
Answering = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""What a person says to `inputRequests`."""


class Events:
    """What a client has heard and a test has not looked at."""

    def __init__(self) -> None:
        self._heard: list[Data] = []
        self._more = anyio.Event()

    def put(self, event: Data) -> None:
        self._heard.append(event)
        self._more.set()

    async def take(self) -> Data:
        while not self._heard:
            self._more = anyio.Event()
            await self._more.wait()
        return self._heard.pop(0)


class Open(types.Result):
    """Any result, with all that it has."""

    model_config = ConfigDict(extra="allow")

    result_type: str

    @property
    def data(self) -> Data:
        return {key: value for key, value in (self.model_extra or {}).items() if key != "_meta"}


class Created(Open):
    result_type: Literal["task"]  # pyright: ignore[reportIncompatibleVariableOverride] - a claim has to name its type


class TaskParams(types.RequestParams):
    task_id: str


class UpdateParams(TaskParams):
    input_responses: dict[str, Any]


class Get(types.Request[TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams
    name_param = "taskId"


class Update(types.Request[UpdateParams, Literal["tasks/update"]]):
    method: Literal["tasks/update"] = "tasks/update"
    params: UpdateParams
    name_param = "taskId"


class Cancel(types.Request[TaskParams, Literal["tasks/cancel"]]):
    method: Literal["tasks/cancel"] = "tasks/cancel"
    params: TaskParams
    name_param = "taskId"


class _Params(types.NotificationParams):
    model_config = ConfigDict(extra="allow")


class Tasks(ClientExtension):
    """Declares the extension, and waits for tasks until they are over; `answer` stands for the person at the host."""

    identifier = EXTENSION

    def __init__(self, answer: Answering | None = None) -> None:
        self.created: list[Data] = []
        self._answer = answer
        self.events = Events()

    def claims(self) -> list[ResultClaim[Created]]:
        return [ResultClaim(result_type="task", model=Created, resolve=self._resolve)]

    def notifications(self) -> list[NotificationBinding[_Params]]:
        return [NotificationBinding(method="notifications/tasks", params_type=_Params, handler=self._hear)]

    async def _hear(self, params: _Params) -> None:
        self.events.put(dict(params.model_extra or {}))

    async def _resolve(self, created: Created, context: ClaimContext) -> types.CallToolResult:
        self.created.append(created.data)
        task_id = created.data["taskId"]
        async with listening(context.session, [task_id]):
            task = await heard(self.events, "input_required", *OVER)
            while task["status"] == "input_required":
                assert self._answer is not None
                await update(context.session, task_id, self._answer(task["inputRequests"]))
                task = await heard(self.events, *OVER, "input_required")
        assert task["status"] == "completed", task
        return types.CallToolResult.model_validate(task["result"])


async def create(client: Client, tool: str, **arguments: Any) -> Data:
    """The task that a call goes on as."""
    result = await client.session.call_tool(tool, arguments, allow_input_required=True, allow_claimed=True)
    assert isinstance(result, Created), result
    return result.data


async def get(session: Any, task_id: str) -> Data:
    result = await session.send_request(Get(params=TaskParams(task_id=task_id)), Open)
    assert result.result_type == "complete"
    return result.data  # type: ignore[no-any-return] # the session is whatever a test has


async def update(session: Any, task_id: str, responses: Mapping[str, Any]) -> Data:
    params = UpdateParams(task_id=task_id, input_responses=dict(responses))
    return (await session.send_request(Update(params=params), Open)).data  # type: ignore[no-any-return]


async def cancel(session: Any, task_id: str) -> Data:
    return (await session.send_request(Cancel(params=TaskParams(task_id=task_id)), Open)).data  # type: ignore[no-any-return]


async def heard(events: Events, *statuses: str) -> Data:
    """The next notification of a task that has one of these statuses."""
    while (task := await events.take())["status"] not in statuses:
        pass
    return task


@asynccontextmanager
async def listening(session: Any, task_ids: list[str]) -> AsyncGenerator[None]:
    """Listen to tasks."""
    wanted = types.SubscriptionFilter.model_validate({"taskIds": task_ids})
    request = types.SubscriptionsListenRequest(params=types.SubscriptionsListenRequestParams(notifications=wanted))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.send_request, request, Open)
        yield
        tasks.cancel_scope.cancel()


async def seen(tasks: Tasks, client: Client, task_id: str, *statuses: str) -> Data:
    """The task once it has one of these statuses."""
    async with listening(client.session, [task_id]):
        return await heard(tasks.events, *statuses)
