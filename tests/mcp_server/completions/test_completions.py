from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, MCPError

from gleitzeit.application import Application
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.server import build_server

Connect = Callable[..., AbstractAsyncContextManager[Client]]
Factory = Callable[[], AbstractAsyncContextManager[Application]]

pytestmark = pytest.mark.anyio

WRITE = types.PromptReference(name="write_workflow")
DEBUG = types.PromptReference(name="debug_run")
RUN = types.ResourceTemplateReference(uri="gleitzeit://runs/{run_id}")
TASK = types.ResourceTemplateReference(uri="gleitzeit://runs/{run_id}/tasks/{task_id}")
WORKFLOW = types.ResourceTemplateReference(uri="gleitzeit://workflows/{name}")

EACH = """
name: tides
tasks: [{id: each, foreach: [low, high], method: probe/echo, parameters: {text: "${item}"}}]
"""


async def completed(client: Client, ref: Any, name: str, value: str, **settled: str) -> types.Completion:
    argument = {"name": name, "value": value}
    return (await client.complete(ref, argument, context_arguments=settled or None)).completion


async def submitted(client: Client, workflow: str = EACH) -> str:
    data: Any = (await client.call_tool("submit_workflow", {"workflow": workflow})).structured_content
    return str(data["run_id"])


async def test_runs_tasks_workflows_and_methods_are_completed(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            first, second = await submitted(client), await submitted(client)
            await client.call_tool("save_workflow", {"workflow": EACH, "name": "low tides"})
            await client.call_tool("save_workflow", {"workflow": EACH})
            runs = await completed(client, DEBUG, "run_id", "")
            by_id = await completed(client, RUN, "run_id", first[:8])
            by_name = await completed(client, TASK, "run_id", "TIDE")
            tasks = await completed(client, TASK, "task_id", "each", run_id=first)
            unsettled = await completed(client, TASK, "task_id", "each")
            workflows = await completed(client, WORKFLOW, "name", "tid")
            methods = await completed(client, WRITE, "method", "probe/e")
            goal = await completed(client, WRITE, "goal", "x")
    assert (runs.values, runs.total, runs.has_more) == ([second, first], 2, False)
    assert by_id.values == [first]
    assert by_name.values == [second, first]
    assert tasks.values == ["each", "each[0]", "each[1]"]
    assert unsettled.values == goal.values == []
    assert workflows.values == ["tides", "low tides"]
    assert methods.values == ["probe/echo"]


async def test_at_most_a_hundred_values_are_shown_and_the_rest_is_counted(factory: Factory) -> None:
    with anyio.fail_after(20):
        async with open_face(factory) as face, Client(build_server(face), cache=None) as client:
            application = await face.application.opened()
            checked = await application.check(EACH)
            for number in range(101):
                await application.saved.save(checked, name=f"w{number:03}")
                await application.submit(checked)
            workflows = await completed(client, WORKFLOW, "name", "w")
            runs = await completed(client, RUN, "run_id", "")
    assert (len(workflows.values), workflows.total, workflows.has_more) == (100, 101, True)
    assert (len(runs.values), runs.has_more) == (100, True)


async def test_runs_of_another_caller_are_not_offered(factory: Factory) -> None:
    with anyio.fail_after(15):
        async with open_face(factory) as face, Client(build_server(face), cache=None) as client:
            application = await face.application.opened()
            foreign = await application.submit(EACH, caller="somebody else")
            assert (await completed(client, RUN, "run_id", foreign.id)).values == []
            assert (await completed(client, TASK, "task_id", "", run_id=foreign.id)).values == []


@pytest.mark.parametrize(
    ("ref", "name", "words"),
    [
        (types.PromptReference(name="debug_rum"), "run_id", 'did you mean "debug_run"'),
        (DEBUG, "run", "it has run_id"),
        (types.ResourceTemplateReference(uri="file:///{path}"), "path", "there is no resource template"),
        (RUN, "task_id", "it has run_id"),
    ],
)
async def test_what_there_is_not_is_refused(factory: Factory, ref: Any, name: str, words: str) -> None:
    with anyio.fail_after(15):
        async with open_face(factory) as face, Client(build_server(face), cache=None) as client:
            with pytest.raises(MCPError, match=words) as raised:
                await completed(client, ref, name, "")
    assert raised.value.error.code == types.INVALID_PARAMS
