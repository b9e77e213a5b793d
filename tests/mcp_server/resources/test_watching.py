from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import anyio
import mcp_types as types
import pytest
from anyio.streams.memory import MemoryObjectReceiveStream
from mcp import Client
from mcp.shared.subscriptions import ResourceUpdated
from tests.mcp_server.subscriptions.bench import subscribe, unsubscribe

from gleitzeit.application import Application
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.resources.addresses import run_uri, task_uri, workflow_uri
from gleitzeit.mcp_server.server import build_server

Connect = Callable[..., AbstractAsyncContextManager[Client]]
Factory = Callable[[], AbstractAsyncContextManager[Application]]

pytestmark = pytest.mark.anyio

ASKING = """
tasks:
  - {id: ask, method: probe/ask, parameters: {message: "which?", schema: {type: object}}}
  - {id: after, method: probe/echo, parameters: {text: done}, dependencies: [ask]}
"""
HANGING = "tasks: [{id: hang, method: probe/hang}]"
UNCERTAIN = "tasks: [{id: hang, method: probe/hang, timeout: 0.05}]"


def data_of(result: types.CallToolResult) -> dict[str, Any]:
    data: dict[str, Any] = result.structured_content
    assert isinstance(data, dict)
    return data


@asynccontextmanager
async def watched(connect: Connect, mode: str) -> AsyncGenerator[tuple[Client, Callable[..., Any]]]:
    """A client, and what subscribes it to resources in its era: a stream of the addresses that it is told of."""
    send, receive = anyio.create_memory_object_stream[str](1_000)

    async def hear(message: object) -> None:
        if isinstance(message, types.ResourceUpdatedNotification):
            send.send_nowait(str(message.params.uri))

    @asynccontextmanager
    async def subscribed(client: Client, *uris: str) -> AsyncGenerator[MemoryObjectReceiveStream[str]]:
        if mode == "legacy":
            for uri in uris:
                await subscribe(client, uri)
            yield receive
            for uri in uris:  # what is still on its way would meet a client that has gone
                await unsubscribe(client, uri)
            return
        async with client.listen(resource_subscriptions=list(uris)) as changes, anyio.create_task_group() as tasks:

            async def listen() -> None:
                async for change in changes:
                    assert isinstance(change, ResourceUpdated)
                    send.send_nowait(change.uri)

            tasks.start_soon(listen)
            yield receive
            tasks.cancel_scope.cancel()

    with send, receive:
        async with connect(message_handler=hear) as client:
            yield client, subscribed


async def started(client: Client, workflow: str) -> str:
    result = await client.call_tool("submit_workflow", {"workflow": workflow, "wait_seconds": 0})
    return str(data_of(result)["run_id"])


async def heard_of(told: MemoryObjectReceiveStream[str], *uris: str) -> None:
    missing = set(uris)
    while missing:
        missing.discard(await told.receive())


async def question_of(client: Client, run_id: str) -> str:
    inspected = await client.call_tool("inspect_run", {"run_id": run_id, "wait_seconds": 10})
    return str(data_of(inspected)["questions"][0]["question_id"])


async def test_who_has_subscribed_to_a_run_is_told_when_something_becomes_of_it(connect: Connect, mode: str) -> None:
    with anyio.fail_after(20):
        async with watched(connect, mode) as (client, subscribed):
            run_id = await started(client, ASKING)
            question_id = await question_of(client, run_id)
            run, task = run_uri(run_id), task_uri(run_id, "after")
            async with subscribed(client, run, task) as told:
                await heard_of(told, run, task)
                answer: dict[str, Any] = {"run_id": run_id, "question_id": question_id, "answer": {}}
                await client.call_tool("answer_question", answer)
                await heard_of(told, run, task)


async def test_a_run_that_waits_for_a_decision_is_watched_on(connect: Connect, mode: str) -> None:
    with anyio.fail_after(20):
        async with watched(connect, mode) as (client, subscribed):
            run_id = await started(client, UNCERTAIN)
            inspected = await client.call_tool("inspect_run", {"run_id": run_id, "wait_seconds": 10})
            assert data_of(inspected)["status"] == "waiting"
            async with subscribed(client, run_uri(run_id)) as told:
                assert await told.receive() == run_uri(run_id)
                await client.call_tool("cancel_run", {"run_id": run_id})
                assert await told.receive() == run_uri(run_id)


async def test_who_subscribes_to_a_run_that_is_over_is_told_once(connect: Connect, mode: str) -> None:
    with anyio.fail_after(20):
        async with watched(connect, mode) as (client, subscribed):
            run_id = await started(client, HANGING)
            await client.call_tool("cancel_run", {"run_id": run_id})
            async with subscribed(client, run_uri(run_id)) as told:
                assert await told.receive() == run_uri(run_id)


async def test_who_has_subscribed_to_a_saved_workflow_is_told_when_it_is_another(connect: Connect, mode: str) -> None:
    uri = workflow_uri("tides")
    with anyio.fail_after(20):
        async with watched(connect, mode) as (client, subscribed):
            await client.call_tool("save_workflow", {"workflow": HANGING, "name": "tides"})
            async with subscribed(client, uri) as told:
                assert await told.receive() == uri
                other = {"workflow": UNCERTAIN, "name": "tides", "overwrite": True}
                await client.call_tool("save_workflow", other)
                assert await told.receive() == uri
                await client.call_tool("delete_workflow", {"name": "tides"})
                assert await told.receive() == uri


async def test_nobody_is_told_after_unsubscribing(connect: Connect, mode: str) -> None:
    if mode != "legacy":
        pytest.skip("in the modern era whoever ends the response has unsubscribed")
    with anyio.fail_after(20):
        async with watched(connect, mode) as (client, subscribed):
            left, kept = await started(client, HANGING), await started(client, HANGING)
            async with subscribed(client, run_uri(left), run_uri(kept)) as told:
                await unsubscribe(client, run_uri(left))
                await client.call_tool("cancel_run", {"run_id": left})
                await client.call_tool("cancel_run", {"run_id": kept})
                assert await told.receive() == run_uri(kept)
                assert told.statistics().current_buffer_used == 0 or await told.receive() == run_uri(kept)


@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_runs_of_another_caller_are_not_watched(factory: Factory, era: str) -> None:
    with anyio.fail_after(20):
        async with open_face(factory) as face:

            @asynccontextmanager
            async def connect(**options: Any) -> AsyncGenerator[Client]:
                async with Client(build_server(face), mode=era, cache=None, **options) as client:
                    yield client

            application = await face.application.opened()
            async with watched(connect, era) as (client, subscribed):
                foreign = await application.submit(HANGING, caller="somebody else")
                own = await application.submit(HANGING)
                async with subscribed(client, run_uri(foreign.id), run_uri(own.id)) as told:
                    await application.engine.cancel(foreign.id)
                    await application.engine.cancel(own.id)
                    assert await told.receive() == run_uri(own.id)


async def test_watching_ends_with_the_client(factory: Factory) -> None:
    with anyio.fail_after(20):
        async with open_face(factory) as face:
            application = await face.application.opened()
            run = await application.submit(HANGING)
            async with Client(build_server(face), mode="legacy", cache=None) as client:
                await subscribe(client, run_uri(run.id))
                await subscribe(client, "gleitzeit://runs/none")
                await subscribe(client, "file:///etc/passwd")
            await application.engine.cancel(run.id)
            assert (await application.engine.wait(run.id)).over
