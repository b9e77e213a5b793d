from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
import pytest
from mcp import Client

from gleitzeit.application import Application
from gleitzeit.mcp_server.face import open_face
from gleitzeit.mcp_server.server import build_server

Connect = Callable[..., AbstractAsyncContextManager[Client]]
Factory = Callable[[], AbstractAsyncContextManager[Application]]

pytestmark = pytest.mark.anyio

TIDES = """
tasks:
  - {id: count, method: probe/items, parameters: {n: 5000}}
  - id: each
    foreach: ["low", "high"]
    method: probe/echo
    parameters: {text: "${item} water, ", times: 9000}
"""


def text_of(result: types.CallToolResult) -> str:
    return "\n".join(block.text for block in result.content if isinstance(block, types.TextContent))


def data_of(result: types.CallToolResult) -> dict[str, Any]:
    data: dict[str, Any] = result.structured_content
    assert isinstance(data, dict)
    return data


class Reader:
    def __init__(self, client: Client, run_id: str) -> None:
        self._client = client
        self._run_id = run_id

    async def read(self, **arguments: Any) -> types.CallToolResult:
        return await self._client.call_tool("read_result", {"run_id": self._run_id, **arguments})

    async def data(self, **arguments: Any) -> dict[str, Any]:
        result = await self.read(**arguments)
        assert not result.is_error, text_of(result)
        return data_of(result)

    async def refusal(self, **arguments: Any) -> str:
        result = await self.read(**arguments)
        assert result.is_error
        return text_of(result)


async def reader(client: Client, workflow: str = TIDES, **arguments: Any) -> Reader:
    submitted = await client.call_tool("submit_workflow", {"workflow": workflow, **arguments})
    return Reader(client, data_of(submitted)["run_id"])


async def test_what_was_too_large_is_read_piece_by_piece(connect: Connect) -> None:
    whole = "high water, " * 9_000
    with anyio.fail_after(20):
        async with connect() as client:
            run = await reader(client)
            pieces: list[str] = []
            offset = 0
            while True:
                part = await run.data(path="each[1].text", offset=offset)
                pieces.append(part["value"])
                if "next_offset" not in part:
                    break
                offset = part["next_offset"]
            middle = await run.read(task_id="each[1]", path="text", offset=5, limit=5)
            matches = await run.data(task_id="each", grep="high", limit=2)
            numbers = await run.data(task_id="count", path="items", offset=4_998)
            pair = await run.data(path="count.items", offset=1, limit=2)
    assert "".join(pieces) == whole
    assert len(pieces) > 2
    assert part["total"] == len(whole)
    assert data_of(middle)["value"] == "water"
    assert text_of(middle).splitlines()[:2] == ["108000 characters; these are 5 to 9.", "water"]
    assert [match["path"] for match in matches["matches"]] == ["[1].text", "[1].text"]
    assert "without grep" in matches["next"]
    assert numbers == {"value": [4_998, 4_999], "total": 5_000, "offset": 4_998}
    assert (pair["value"], pair["next_offset"]) == ([1, 2], 3)


async def test_the_preview_of_a_run_names_what_reads_the_rest(connect: Connect) -> None:
    with anyio.fail_after(15):
        async with connect() as client:
            submitted = await client.call_tool("submit_workflow", {"workflow": TIDES})
            run = Reader(client, data_of(submitted)["run_id"])
            rest = await run.data(path="each[0].text")
            inspected = await client.call_tool("inspect_run", {"run_id": data_of(submitted)["run_id"]})
    data = data_of(submitted)
    assert data_of(inspected)["next"] == data["next"]
    for result in (submitted, inspected):
        links = [block.uri for block in result.content if isinstance(block, types.ResourceLink)]
        assert links == [f"gleitzeit://runs/{data['run_id']}"]
    assert "outputs" not in data
    assert data["preview"]["each"][0]["text"].endswith("… (99000 characters)")
    assert f'read_result with {{"run_id":"{data["run_id"]}","path":"' in data["next"]
    assert '"path":"each[0].text"} (99000 characters)' in data["next"]
    assert rest["value"].startswith("low water, low")


async def test_what_is_not_there_is_refused_with_what_there_is(factory: Factory) -> None:
    with anyio.fail_after(15):
        async with open_face(factory) as face, Client(build_server(face), cache=None) as client:
            run = await reader(client)
            assert 'Did you mean "each"?' in await run.refusal(task_id="eahc")
            assert 'there are "text"' in await run.refusal(task_id="each[0]", path="txt")
            assert "the last [1]" in await run.refusal(path="each[2]")
            assert "can't be read at" in await run.refusal(path="each[")
            assert "is no regular expression" in await run.refusal(grep="(")
            assert "[parameters_invalid]" in await run.refusal(offset=-1)
            assert "[parameters_invalid]" in await run.refusal(limit=0)
            missing = await client.call_tool("read_result", {"run_id": "none"})
            assert "[run_not_found]" in text_of(missing)


async def test_offsets_beyond_everything_break_nothing(factory: Factory) -> None:
    with anyio.fail_after(15):
        async with open_face(factory) as face, Client(build_server(face), cache=None) as client:
            run = await reader(client)
            far = await run.data(path="count.items", offset=10**25)
            assert (far["value"], far["total"]) == ([], 5_000)
            assert (await run.data(path="each[0].text", limit=10**25))["total"] == 99_000
            assert (await run.data(grep="water", offset=10**25, limit=10**25))["matches"] == []


async def test_a_run_that_is_not_over_is_read_by_its_tasks(connect: Connect, tmp_path: Path) -> None:
    workflow = f"""
tasks:
  - {{id: a, method: probe/echo, parameters: {{text: x}}}}
  - {{id: long, method: probe/sleep, parameters: {{mark: '{tmp_path / "mark"}'}}, dependencies: [a]}}
"""
    with anyio.fail_after(15):
        async with connect() as client:
            run = await reader(client, workflow, wait_seconds=0.2)
            assert "these have results: a" in await run.refusal()
            assert 'task "long" is' in await run.refusal(task_id="long")
            assert (await run.data(task_id="a", path="result.text"))["value"] == "x"
            assert (await run.data(task_id="a"))["value"] == {"text": "x"}


async def test_runs_of_another_caller_are_not_read(factory: Factory) -> None:
    with anyio.fail_after(15):
        async with open_face(factory) as face, Client(build_server(face), cache=None) as client:
            application = await face.application.opened()
            foreign = await application.call("probe/echo", {"text": "secret"}, caller="somebody else")
            await application.engine.wait(foreign.id)
            for task_id in ("", "call"):
                result = await client.call_tool("read_result", {"run_id": foreign.id, "task_id": task_id})
                assert "[run_not_found]" in text_of(result)
