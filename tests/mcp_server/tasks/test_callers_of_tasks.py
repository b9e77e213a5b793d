"""A task belongs to the caller that began it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import anyio
import mcp_types as types
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from tests.mcp_server.conftest import Guarded
from tests.mcp_server.tasks.task_client import Data, Tasks, cancel, create, get, heard, listening, update

pytestmark = pytest.mark.anyio

SLEEP: Data = {"workflow": {"tasks": [{"id": "a", "method": "probe/sleep"}]}, "wait_seconds": 0}


@asynccontextmanager
async def tracking(server: Guarded, name: str, tasks: Tasks) -> AsyncGenerator[Client]:
    async with server.http(name) as http:
        over = streamable_http_client(f"{server.url}/mcp", http_client=http)
        async with Client(over, mode="auto", cache=None, extensions=[tasks]) as client:
            yield client


async def test_nobody_finds_a_task_of_another_caller(
    guarded: Callable[..., AbstractAsyncContextManager[Guarded]],
) -> None:
    hers, his = Tasks(), Tasks()
    with anyio.fail_after(20):
        async with guarded() as server, tracking(server, "alice", hers) as alice, tracking(server, "bob", his) as bob:
            mine = (await create(alice, "submit_workflow", **SLEEP))["taskId"]
            own = (await create(bob, "submit_workflow", **SLEEP))["taskId"]
            forged = f"0123456789abcdef{mine[16:]}"
            refusals = [
                (await refused(get(bob.session, task_id)), await refused(cancel(bob.session, task_id)),
                 await refused(update(bob.session, task_id, {})))
                for task_id in (mine, forged)
            ]  # fmt: skip
            async with listening(bob.session, [mine, forged, own]):
                assert (await heard(his.events, "working"))["taskId"] == own
                await cancel(alice.session, mine)
                await cancel(bob.session, own)
                assert (await heard(his.events, "cancelled"))["taskId"] == own
            theirs, others = refusals
            found = await get(alice.session, mine)
    assert [error.code for error in theirs] == [types.INVALID_PARAMS] * 3
    assert [str(error.message).replace(mine[:16], "?") for error in theirs] == [
        str(error.message).replace(forged[:16], "?") for error in others
    ]
    assert found["status"] == "cancelled"


async def test_admins_find_the_tasks_of_all(guarded: Callable[..., AbstractAsyncContextManager[Guarded]]) -> None:
    with anyio.fail_after(20):
        async with guarded() as server, tracking(server, "alice", Tasks()) as alice:
            task_id = (await create(alice, "submit_workflow", **SLEEP))["taskId"]
            async with tracking(server, "root", Tasks()) as root:
                found = await get(root.session, task_id)
                await cancel(root.session, task_id)
            ended = await get(alice.session, task_id)
    assert (found["status"], ended["status"]) == ("working", "cancelled")


async def refused(request: Awaitable[Data]) -> types.ErrorData:
    with pytest.raises(MCPError) as error:
        await request
    return error.value.error
