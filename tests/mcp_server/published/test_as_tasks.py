"""Tools that come and go become tasks like the fixed ones, for a client that declares the extension."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client
from tests.mcp_server.conftest import text_of
from tests.mcp_server.published.gallery import PICTURE
from tests.mcp_server.published.test_exposed_tools import Expose, expose
from tests.mcp_server.published.test_saved_workflows_as_tools import save
from tests.mcp_server.tasks.task_client import Tasks, create, get

from gleitzeit.application import Application
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.server import build_server

pytestmark = pytest.mark.anyio

__all__ = ["expose"]

GATED: dict[str, Any] = {
    "name": "gated",
    "tasks": [{"id": "a", "method": "mcp/tool.gallery.gate"}],
    "outputs": {"said": "${a.text}"},
}


@pytest.fixture
async def client(
    factory: Callable[[], AbstractAsyncContextManager[Application]], expose: Expose, monkeypatch: pytest.MonkeyPatch
) -> AsyncGenerator[Client]:
    """A client that takes tasks, of a server with a gallery that makes one of whatever does not end at once."""
    expose("*")
    monkeypatch.setattr("gleitzeit.mcp_server.tasks.runs.GRACE", 0.1)
    async with open_face(factory) as face, Client(build_server(face), cache=None, extensions=[Tasks()]) as client:
        yield client


async def outcome(client: Client, tool: str) -> types.CallToolResult:
    """What becomes of the task of a call that waits at the gate, once that is unlocked."""
    with anyio.fail_after(15):
        task_id = (await create(client, tool))["taskId"]
        assert (await get(client.session, task_id))["status"] == "working"
        await client.call_tool("gallery__unlock", {})
        await client.call_tool("inspect_run", {"run_id": task_id.rpartition(".")[0], "wait_seconds": 10})
        task = await get(client.session, task_id)
    assert task["status"] == "completed"
    return types.CallToolResult.model_validate(task["result"])


async def test_the_task_of_an_exposed_tool_ends_with_its_own_answer(client: Client) -> None:
    result = await outcome(client, "gallery__gate")
    blocks = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]
    assert blocks == [{"type": "text", "text": "through"}, PICTURE]
    assert text_of(await client.call_tool("gallery__show", {})) == "A picture:"


async def test_the_task_of_a_saved_workflow_ends_with_its_outputs(client: Client) -> None:
    await save(client, GATED)
    result = await outcome(client, "wf_gated")
    assert result.structured_content is not None
    assert result.structured_content["outputs"] == {"said": "through"}
