"""Tasks outlive the process that began them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import pytest
from mcp import Client
from tests.mcp_server.tasks.task_client import Tasks, get
from tests.mcp_server.tasks.test_declaring import declaring
from tests.pipe import Pipe, pipe

from gleitzeit.application import Application
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.server import build_server

pytestmark = pytest.mark.anyio

CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"
AGE = {"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}
ASK = {"id": "ask", "method": "probe/ask", "parameters": {"message": "How old?", "schema": AGE}}
ECHO = {"id": "echo", "method": "probe/echo", "parameters": {"text": "is ${ask.age}"}}


async def status(host: Pipe, number: int, task_id: str, *wanted: str) -> dict[str, Any]:
    """The task once it has one of these statuses, which a listener is told of."""
    params = asking(notifications={"taskIds": [task_id]})
    await host.send({"id": number, "method": "subscriptions/listen", "params": params})
    while True:
        message = await host.receive()
        if message.get("method") == "notifications/tasks" and message["params"]["status"] in wanted:
            await host.send({"method": "notifications/cancelled", "params": {"requestId": number}})
            task: dict[str, Any] = message["params"]
            return task


def asking(**params: Any) -> dict[str, Any]:
    """A request of a client that knows tasks and asks its person."""
    declared = declaring(**params)
    declared["_meta"][CAPABILITIES]["elicitation"] = {}
    return declared


async def test_a_task_is_the_same_after_its_server_was_killed(
    environment: dict[str, str], factory: Callable[[], AbstractAsyncContextManager[Application]]
) -> None:
    submit = {"name": "submit_workflow", "arguments": {"workflow": {"tasks": [ASK, ECHO]}, "wait_seconds": 0}}
    with anyio.fail_after(60):
        async with pipe(environment) as host:
            task_id = (await host.request(1, "tools/call", asking(**submit)))["result"]["taskId"]
            await status(host, 2, task_id, "input_required")
            host.process.kill()
            await host.process.wait()
        async with pipe(environment) as host:
            found = (await host.request(1, "tasks/get", asking(taskId=task_id)))["result"]
            task = await status(host, 2, task_id, "input_required")
            responses = {key: {"action": "accept", "content": {"age": 9}} for key in task["inputRequests"]}
            await host.request(3, "tasks/update", asking(taskId=task_id, inputResponses=responses))
            done = await status(host, 4, task_id, "completed")
            host.process.kill()
            await host.process.wait()
        async with open_face(factory) as face, Client(build_server(face), cache=None, extensions=[Tasks()]) as client:
            final = await get(client.session, task_id)
    assert found["status"] in ("working", "input_required")
    assert final["status"] == "completed"
    assert final["result"] == done["result"]
    assert final["result"]["structuredContent"]["outputs"] == {"echo": {"text": "is 9"}}
