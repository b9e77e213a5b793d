from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client, MCPError

from gleitzeit.application import Application
from gleitzeit.core.document import read
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.resources.listing import MOST_RUNS, PAGE
from gleitzeit.mcp_server.server import build_server

Connect = Callable[..., AbstractAsyncContextManager[Client]]
Factory = Callable[[], AbstractAsyncContextManager[Application]]

pytestmark = pytest.mark.anyio

TIDES = """
name: tides
inputs: {texts: {type: array, default: [low, high]}}
tasks:
  - {id: each, foreach: "${inputs.texts}", method: probe/echo, parameters: {text: "${item}"}}
"""
ECHO = "tasks: [{id: a, method: probe/echo, parameters: {text: x}}]"


async def submitted(client: Client, workflow: str = TIDES) -> str:
    result = await client.call_tool("submit_workflow", {"workflow": workflow})
    data: dict[str, Any] = result.structured_content
    assert isinstance(data, dict)
    return str(data["run_id"])


async def text_at(client: Client, uri: str) -> types.TextResourceContents:
    contents = (await client.read_resource(uri)).contents
    assert len(contents) == 1
    assert isinstance(contents[0], types.TextResourceContents)
    assert contents[0].uri == uri
    assert (contents[0].meta or {})["gleitzeit/size"] == len(contents[0].text.encode())
    return contents[0]


async def data_at(client: Client, uri: str) -> Any:
    content = await text_at(client, uri)
    assert content.mime_type in ("application/json", "application/schema+json")
    return json.loads(content.text)


async def test_runs_tasks_workflows_the_schema_and_servers_are_read(connect: Connect, mode: str) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            run_id = await submitted(client)
            await client.call_tool("save_workflow", {"workflow": TIDES, "name": "high/low tides"})
            run = await data_at(client, f"gleitzeit://runs/{run_id}")
            task = await data_at(client, f"gleitzeit://runs/{run_id}/tasks/each")
            item = await data_at(client, f"gleitzeit://runs/{run_id}/tasks/each%5B1%5D")
            saved = await text_at(client, "gleitzeit://workflows/high%2Flow%20tides")
            schema = await data_at(client, "gleitzeit://schema/workflow")
            servers = await data_at(client, "gleitzeit://servers")
            reading = await client.read_resource(f"gleitzeit://runs/{run_id}")
    assert (run["status"], run["inputs"]) == ("completed", {"texts": ["low", "high"]})
    assert run["tasks"]["each"]["result"] == task["result"] == [{"text": "low"}, {"text": "high"}]
    assert item["result"] == {"text": "high"}
    assert saved.mime_type == "application/yaml"
    assert read(saved.text).require().name == "high/low tides"
    assert schema["title"] == "Gleitzeit workflow"
    assert servers == {"servers": [], "count": 0}
    assert reading.cache_scope == "private"
    assert mode == "legacy" or reading.ttl_ms > 0


async def test_the_fixed_ones_saved_workflows_and_the_newest_runs_are_listed(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            first, second = await submitted(client), await submitted(client)
            await client.call_tool("save_workflow", {"workflow": TIDES})
            listed = await client.list_resources()
            templates = (await client.list_resource_templates()).resource_templates
    assert [resource.uri for resource in listed.resources] == [
        "gleitzeit://schema/workflow",
        "gleitzeit://servers",
        "gleitzeit://workflows/tides",
        f"gleitzeit://runs/{second}",
        f"gleitzeit://runs/{first}",
    ]
    assert all(resource.mime_type and resource.title for resource in listed.resources)
    assert (listed.next_cursor, listed.cache_scope) == (None, "private")
    assert [template.uri_template for template in templates] == [
        "gleitzeit://runs/{run_id}",
        "gleitzeit://runs/{run_id}/tasks/{task_id}",
        "gleitzeit://workflows/{name}",
    ]


async def test_what_is_not_there_is_said_in_the_words_of_the_era(connect: Connect, mode: str) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            run_id = await submitted(client)
            for uri in (
                "gleitzeit://runs/ffff",
                f"gleitzeit://runs/{run_id}/tasks/other",
                f"gleitzeit://runs/{run_id}/tasks/..%2F..%2Fetc%2Fpasswd",
                "gleitzeit://workflows/..%2F..%2Fetc%2Fpasswd",
                "gleitzeit://workflows/none",
                "file:///etc/passwd",
                "gleitzeit://elsewhere",
            ):
                with pytest.raises(MCPError) as raised:
                    await client.read_resource(uri)
                assert raised.value.error.code == (-32002 if mode == "legacy" else -32602)
                assert raised.value.error.data == {"uri": uri}
            with pytest.raises(MCPError, match="start again without one"):
                await client.list_resources(cursor="runs:x")
            with pytest.raises(MCPError) as wrong:
                await client.list_resources(cursor="runs:1:x")
            assert wrong.value.error.code == types.INVALID_PARAMS


async def test_runs_of_another_caller_are_neither_read_nor_listed(factory: Factory) -> None:
    with anyio.fail_after(15):
        async with open_face(factory) as face, Client(build_server(face), cache=None) as client:
            application = await face.application.opened()
            foreign = await application.submit(ECHO, caller="somebody else")
            await application.engine.wait(foreign.id)
            for uri in (f"gleitzeit://runs/{foreign.id}", f"gleitzeit://runs/{foreign.id}/tasks/a"):
                with pytest.raises(MCPError, match="there is no such resource"):
                    await client.read_resource(uri)
            assert len((await client.list_resources()).resources) == 2


async def test_pages_follow_each_other_and_end(factory: Factory) -> None:
    with anyio.fail_after(30):
        async with open_face(factory) as face, Client(build_server(face), cache=None) as client:
            application = await face.application.opened()
            checked = await application.check(ECHO)
            for number in range(PAGE + 1):
                await application.saved.save(checked, name=f"w{number:03}")
            for _ in range(MOST_RUNS + 1):
                await application.submit(checked)
            listed: list[str] = []
            cursor: str | None = None
            sizes: list[int] = []
            while True:
                page = await client.list_resources(cursor=cursor)
                listed += [resource.uri for resource in page.resources]
                sizes.append(len(page.resources))
                cursor = page.next_cursor
                if cursor is None:
                    break
    assert len(set(listed)) == len(listed) == 2 + PAGE + 1 + MOST_RUNS
    assert max(sizes) <= PAGE + 2
    assert sum(uri.startswith("gleitzeit://runs/") for uri in listed) == MOST_RUNS
