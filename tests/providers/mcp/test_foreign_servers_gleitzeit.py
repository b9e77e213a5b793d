"""Another Gleitzeit is a server like any other, and none calls itself without an end."""

from __future__ import annotations

import json
import sys
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.providers.mcp.servers.everything import free_port
from tests.providers.mcp.servers.gleitzeit import (
    all_gone,
    home,
    marked,
    serving,
    started,
)
from tests.providers.mcp.servers.settings import ROOT
from tests.providers.mcp.servers.task import Person, called, row_of, task
from tests.ways import some

from gleitzeit.core.errors import LimitError, ToolFailedError
from gleitzeit.providers.base import TaskContext
from gleitzeit_mcp import MCPHubProvider
from gleitzeit_mcp.servers.nesting import VARIABLE, place_of

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]
OwnServer = Callable[..., dict[str, Any]]

WAYS = [("stdio", "legacy"), ("http", "auto"), ("sse", "legacy")]
OVER_HTTP = pytest.mark.parametrize(("way", "mode"), some([("http", "auto")], WAYS))
OVER_STDIO = pytest.mark.parametrize(("way", "mode"), some([("stdio", "legacy")], WAYS))
OVER_SSE = pytest.mark.parametrize(("way", "mode"), some([("sse", "legacy")], WAYS))

WORKSHOP = {
    "name": "workshop",
    "command": [sys.executable, "-m", "tests.providers.mcp.servers.workshop"],
    "working_dir": str(ROOT),
}

SUMS = """
name: sums
inputs: {first: {type: integer}}
tasks:
  - {id: one, method: mcp/tool.toolbox.add, parameters: {a: "${inputs.first}", b: 1}}
  - {id: two, method: mcp/tool.toolbox.add, parameters: {a: "${one.sum}", b: 10}}
outputs: {total: "${two.sum}"}
"""


@pytest.fixture
def open_second(
    open_hub: OpenHub, own_server: OwnServer, tmp_path: Path
) -> Callable[..., AbstractAsyncContextManager[MCPHubProvider]]:
    """`async with open_second(way, mode) as hub`: a hub whose server `second` is a Gleitzeit with a toolbox."""

    @asynccontextmanager
    async def opened(way: str, mode: str, *others: dict[str, Any]) -> AsyncGenerator[MCPHubProvider]:
        folder = home(tmp_path / "second", [own_server("toolbox"), *others])
        with anyio.fail_after(50):
            if way == "stdio":
                async with open_hub(started("second", folder, mode=mode)) as hub:
                    yield hub
                return
            async with serving(folder) as addresses:
                server = {"name": "second", "connection_type": way, "url": addresses[way], "mode": mode}
                async with open_hub(server) as hub:
                    yield hub

    return opened


@OVER_HTTP
async def test_its_tools_are_called_and_a_workflow_is_run_by_it(open_second: OpenHub, way: str, mode: str) -> None:
    async with open_second(way, mode) as hub:
        found = await called(hub, "second.search_methods", {"query": "add two numbers"})
        single = {"method": "mcp/tool.toolbox.add", "parameters": {"a": 2, "b": 3}}
        added = await called(hub, "second.call_method", single)
        submitted = {"workflow": SUMS, "inputs": {"first": 4}, "wait_seconds": 30}
        run = await called(hub, "second.submit_workflow", submitted)
        seen = await called(hub, "second.inspect_run", {"run_id": run["run_id"], "detail": "tasks"})
        runs = await called(hub, "second.list_runs")
        await called(hub, "second.save_workflow", {"workflow": SUMS})
        again = await called(
            hub, "second.submit_workflow", {"name": "sums", "inputs": {"first": 0}, "wait_seconds": 30}
        )
        row = await row_of(hub, "second")
    assert "mcp/tool.toolbox.add" in found["text"]
    assert added["status"] == "completed"
    assert '"sum": 5' in json.dumps(added)
    assert (run["status"], run["outputs"]) == ("completed", {"total": 15})
    assert seen["run_id"] == run["run_id"]
    assert run["run_id"] in json.dumps(runs["runs"])
    assert again["outputs"] == {"total": 11}
    assert row["protocol_version"] == {"auto": "2026-07-28", "legacy": "2025-11-25"}[mode]


@OVER_SSE
async def test_what_it_refuses_fails_in_its_own_words(open_second: OpenHub, way: str, mode: str) -> None:
    async with open_second(way, mode) as hub:
        with pytest.raises(ToolFailedError, match=r"mcp/tool\.toolbox\.ad"):
            await called(hub, "second.call_method", {"method": "mcp/tool.toolbox.ad", "parameters": {}})
        with pytest.raises(ToolFailedError, match="nothing"):
            await called(hub, "second.inspect_run", {"run_id": "nothing"})


@OVER_STDIO
async def test_a_question_two_servers_away_reaches_the_person_and_its_answer_the_tool(
    open_second: OpenHub, way: str, mode: str
) -> None:
    def answer(words: str, _schema: Mapping[str, Any] | None) -> dict[str, Any]:
        return {"name": "Ada"} if "name" in words else {"years": 36}

    person = Person(answer)
    async with open_second(way, mode, WORKSHOP) as hub:
        parameters: dict[str, Any] = {"method": "mcp/tool.workshop.introduce", "parameters": {}}
        run = await called(hub, "second.call_method", parameters, by=task(support=person))
    assert '"years": 36' in json.dumps(run)
    assert ["name" in words for words, _ in person.questions] == [True, False]


async def test_what_only_a_person_may_answer_is_not_asked_of_another_gleitzeit(open_second: OpenHub) -> None:
    """Not by the task either that the call becomes: whoever is asked there may be a model."""

    def agree(_words: str, _schema: Mapping[str, Any] | None) -> dict[str, Any]:
        return {}

    person = Person(agree)
    asks = {"tasks": [{"id": "a", "method": "human/ask", "parameters": {"message": "Deploy?", "person": True}}]}
    async with open_second("http", "auto") as hub:
        submitted = {"workflow": asks, "wait_seconds": 0}
        run = await called(hub, "second.submit_workflow", submitted, by=task(support=person))
    assert (run["status"], person.questions) == ("waiting", [])


async def test_one_that_starts_itself_has_one_copy_that_says_so(open_hub: OpenHub, tmp_path: Path) -> None:
    mark = f"copy {uuid.uuid4()}"
    folder = tmp_path / "home"
    itself = started("mirror", folder, mark)
    home(folder, [itself])
    with anyio.fail_after(50):
        async with open_hub(started("first", folder, f"the first, not a {mark[5:]}")) as hub:
            # The copy has the same servers, and does not start them.
            listed = await called(hub, "first.call_method", {"method": "mcp/tools/list", "parameters": {}})
            nested = await _nested(hub, "first", "mirror", "call_method", {"method": "mcp/servers", "parameters": {}})
            assert len(marked(mark)) == 1
        await all_gone(mark)
    assert "mcp/tool.mirror.call_method" in json.dumps(listed)
    assert "Gleitzeit is calling itself: first > mirror" in json.dumps(nested)
    assert "failed" in json.dumps(nested)


async def _nested(hub: MCPHubProvider, first: str, second: str, tool: str, parameters: dict[str, Any]) -> Any:
    """The answer of a tool of the second, called by the first."""
    inner = {"method": f"mcp/tool.{second}.{tool}", "parameters": parameters}
    return await called(hub, f"{first}.call_method", inner)


async def test_two_that_start_each_other_stop_where_the_first_would_be_reached_again(
    open_hub: OpenHub, tmp_path: Path
) -> None:
    mark = f"pair-{uuid.uuid4()}"
    left, right = tmp_path / "left", tmp_path / "right"
    home(left, [started("right", right, mark)])
    home(right, [started("left", left, mark)])
    show: dict[str, Any] = {"method": "mcp/servers", "parameters": {}}
    with anyio.fail_after(50):
        async with open_hub(started("left", left, mark)) as hub:
            await hub.connection("left").ready(40)
            # left, right, and left once more, which starts nothing
            deepest: dict[str, Any] = {"method": "mcp/tool.left.call_method", "parameters": show}
            answer = await _nested(hub, "left", "right", "call_method", deepest)
            assert len(marked(mark)) == 3
        await all_gone(mark)
    assert "Gleitzeit is calling itself: left > right > left" in json.dumps(answer)


async def test_one_that_reaches_itself_over_http_passes_no_call_on_twice(open_hub: OpenHub, tmp_path: Path) -> None:
    port = free_port()
    folder = home(tmp_path / "home", [{"name": "mirror", "url": f"http://127.0.0.1:{port}/mcp", "auto_start": False}])
    deepest: dict[str, Any] = {"method": "mcp/tool.mirror.list_runs", "parameters": {}}
    with anyio.fail_after(50):
        async with serving(folder, port) as addresses, open_hub({"name": "first", "url": addresses["http"]}) as hub:
            with pytest.raises(ToolFailedError, match="Gleitzeit is calling itself: first > mirror"):
                await _nested(hub, "first", "mirror", "call_method", deepest)


async def test_a_chain_of_more_than_eight_is_an_error(
    open_hub: OpenHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = f"chain-{uuid.uuid4()}"
    # Six stand before this one; it starts the seventh and that the eighth, which can start no more.
    monkeypatch.setenv(VARIABLE, ">".join(f"identity{number}@far{number}" for number in range(6)))
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    home(first, [started("second", second, mark)])
    home(second, [started("third", third, mark)])
    home(third)
    deepest: dict[str, Any] = {"method": "mcp/tool.third.list_runs", "parameters": {}}
    with anyio.fail_after(50):
        async with open_hub(started("first", first, mark)) as hub:
            with pytest.raises(ToolFailedError, match="8 Gleitzeits call each other, and no more may: far0 > far1"):
                await _nested(hub, "first", "second", "call_method", deepest)
            assert len(marked(mark)) == 2
        await all_gone(mark)


async def test_a_call_that_has_come_through_this_gleitzeit_is_not_passed_on(
    open_hub: OpenHub, own_server: OwnServer
) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox")) as hub:
            path = place_of(hub.servers, {}).through("toolbox")
            with pytest.raises(LimitError, match="Gleitzeit is calling itself: toolbox"):
                await called(hub, "toolbox.add", {"a": 1, "b": 1}, by=TaskContext(meta={"io.gleitzeit/path": path}))
            far = TaskContext(meta={"io.gleitzeit/path": "abc@elsewhere"})
            assert (await called(hub, "toolbox.add", {"a": 1, "b": 1}, by=far))["sum"] == 2
