"""A task's parameters reach a tool, and its answer becomes the task's result."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

import gleitzeit_mcp.hub
from gleitzeit.core.errors import MethodNotFoundError, ToolFailedError, ValidationError
from gleitzeit.core.models import Run, Workflow
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]
OwnServer = Callable[..., dict[str, Any]]


class Watcher:
    """Keeps what a task reports."""

    def __init__(self) -> None:
        self.reports: list[tuple[float | None, float | None, str | None]] = []
        self.reported = anyio.Event()

    async def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        self.reports.append((done, total, message))
        self.reported.set()

    async def start_child(self, method: str, parameters: Any) -> Any:
        raise NotImplementedError

    async def start_workflow(self, workflow: Workflow, inputs: Any) -> Run:
        raise NotImplementedError

    async def ask(self, message: str, schema: Any, **_: Any) -> Any:
        raise NotImplementedError


async def test_structured_content_stands_at_the_top_level(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox")) as hub:
            result = await hub.handle_request("mcp/tool.toolbox.add", {"a": 2, "b": 3})
    assert result["sum"] == 5
    assert '"sum": 5' in result["text"]
    assert result["content"][0]["type"] == "text"


ANSWERS: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("describe", {"kind": "object"}, {"count": 3, "none": None}),
    ("describe", {"kind": "list"}, {"text": "[1, 2]"}),
    ("describe", {"kind": "words"}, {"text": "just words"}),
    ("count_to", {"limit": 3}, {"result": [0, 1, 2]}),
    ("nothing_within", {}, {"value": None, "text": "see there"}),
    ("takes_timeout", {"timeout": 1.5}, {"result": 1.5}),
    ("takes_arguments", {"arguments": {"x": 1}}, {"result": '["x"]'}),
    ("add", {"arguments": {"a": 2, "b": 3}}, {"sum": 5}),
    ("add", {"a": 2, "b": 3, "timeout": 30}, {"sum": 5}),
    ("add", {"arguments": {"a": 2, "b": 3}, "timeout": 30}, {"sum": 5}),
]


async def test_parameters_and_answers_are_read_as_they_were_meant(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("sdk_toolbox") | {"name": "toolbox"}) as hub:
            for tool, parameters, expected in ANSWERS:
                result = await hub.handle_request(f"mcp/tool.toolbox.{tool}", parameters)
                assert {key: result[key] for key in expected} == expected


async def test_a_tool_is_reached_by_prefix_by_server_and_bare(open_hub: OpenHub, own_server: OwnServer) -> None:
    prefixed = own_server("toolbox", tool_prefix="t.")
    bare = own_server("toolbox") | {"name": "other"}
    with anyio.fail_after(20):
        async with open_hub(prefixed, bare) as hub:
            for name in ("t.add", "toolbox.add", "other.add", "add"):
                result = await hub.handle_request(f"mcp/tool.{name}", {"a": 1, "b": 1})
                assert result["sum"] == 2


async def test_a_bare_name_that_two_servers_have_names_both(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox"), own_server("toolbox") | {"name": "other"}) as hub:
            with pytest.raises(MethodNotFoundError, match="several servers") as failure:
                await hub.handle_request("mcp/tool.add", {"a": 1, "b": 1})
    assert failure.value.hint == "write mcp/tool.toolbox.add or mcp/tool.other.add"


async def test_an_unknown_tool_names_the_nearest(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox", tool_prefix="t.")) as hub:
            with pytest.raises(MethodNotFoundError) as failure:
                await hub.handle_request("mcp/tool.t.environmnt", {})
            with pytest.raises(MethodNotFoundError):
                await hub.describe("mcp/tool.t.environmnt")
    assert failure.value.hint == 'did you mean "mcp/tool.t.environment"?'


async def test_wrong_arguments_are_refused_by_the_field_before_the_call(
    open_hub: OpenHub, own_server: OwnServer
) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox")) as hub:
            with pytest.raises(ValidationError, match="b") as failure:
                await hub.validate_request("mcp/tool.toolbox.add", {"a": 1, "b": "two"})
            with pytest.raises(ValidationError):
                await hub.validate_request("mcp/tool.toolbox.add", {"arguments": {"a": 1}})
            await hub.validate_request("mcp/tool.toolbox.add", {"arguments": {"a": 1, "b": 2}})
    assert "mcp/tool.toolbox.add" in str(failure.value)


async def test_the_check_waits_for_a_server_as_long_as_the_call_may(
    open_hub: OpenHub, own_server: OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gleitzeit_mcp.hub, "SETTLE_LIMIT", 0.0)
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox")) as hub:
            with pytest.raises(ValidationError, match="b"):
                await hub.validate_request("mcp/tool.toolbox.add", {"a": 1})


async def test_a_tool_that_reports_an_error_fails_in_its_own_words(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox")) as hub:
            with pytest.raises(ToolFailedError, match="no such folder"):
                await hub.handle_request("mcp/tool.toolbox.fail", {"reason": "no such folder"})


async def test_progress_is_passed_on_and_a_cancelled_task_cancels_the_call(
    open_hub: OpenHub, own_server: OwnServer, tmp_path: Path
) -> None:
    watcher = Watcher()
    started, cancelled = tmp_path / "started", tmp_path / "cancelled"
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox")) as hub, anyio.create_task_group() as tasks:

            async def call() -> None:
                leave = enter_task(TaskContext(run_id="run", task_id="slow", support=watcher))
                try:
                    await hub.handle_request(
                        "mcp/tool.toolbox.slow", {"started": str(started), "cancelled": str(cancelled)}
                    )
                finally:
                    leave()

            tasks.start_soon(call)
            await watcher.reported.wait()
            tasks.cancel_scope.cancel()
        # The hub is closed by now, and closing alone would end the process without running its handlers.
    assert watcher.reports == [(1, 4, "a quarter")]
    assert started.exists()
    assert cancelled.exists()


async def test_the_execution_is_recorded(open_hub: OpenHub, own_server: OwnServer) -> None:
    context = TaskContext()
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox")) as hub:
            leave = enter_task(context)
            await hub.handle_request("mcp/tool.toolbox.add", {"a": 1, "b": 1})
            leave()
    assert context.metadata == {"server": "toolbox", "protocol_version": "2026-07-28"}


async def test_a_child_gets_its_own_environment_and_folder_and_nothing_else(
    open_hub: OpenHub, own_server: OwnServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GLEITZEIT_TEST_SECRET", "hidden")
    monkeypatch.setenv("GLEITZEIT_TEST_TOKEN", "t0ken")
    env = {"TOKEN": "${GLEITZEIT_TEST_TOKEN}", "PORT": 80, "PLAIN": "$${HOME}"}
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox", env=env, working_dir=str(tmp_path))) as hub:

            async def shown(name: str) -> str:
                return str((await hub.handle_request("mcp/tool.toolbox.environment", {"name": name}))["result"])

            assert [await shown(name) for name in env] == ["t0ken", "80", "${HOME}"]
            assert await shown("GLEITZEIT_TEST_SECRET") == "(not set)"
            assert (await hub.handle_request("mcp/tool.toolbox.folder", {}))["result"] == str(tmp_path)


async def test_tools_are_described_by_their_own_schema_and_hints(open_hub: OpenHub, own_server: OwnServer) -> None:
    settings = own_server("toolbox", idempotent_tools=["count_*"], disabled_tools=["crash"])
    with anyio.fail_after(20):
        async with open_hub(settings) as hub:
            specs = {spec.name: spec for spec in await hub.list_methods()}
            described = await hub.describe("mcp/tool.toolbox.add")
            with pytest.raises(MethodNotFoundError):
                await hub.describe("mcp/tool.toolbox.crash")
            listed = await hub.handle_request("mcp/tools/list", {"server": "toolbox"})
    add = specs["mcp/tool.toolbox.add"]
    assert described == add
    assert add.read_only
    assert add.description == "Add two numbers."
    assert set(add.parameters["properties"]) == {"a", "b"}
    assert specs["mcp/tool.toolbox.count_to"].idempotent
    assert not specs["mcp/tool.toolbox.fail"].read_only
    assert not specs["mcp/tool.toolbox.fail"].idempotent
    assert "mcp/tool.toolbox.crash" not in specs
    assert listed["count"] == len([name for name in specs if name.startswith("mcp/tool.")])
    assert {"name", "server", "description", "input_schema"} <= set(listed["tools"][0])


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_both_protocol_eras_are_spoken(open_hub: OpenHub, own_server: OwnServer, mode: str) -> None:
    with anyio.fail_after(20):
        async with open_hub(own_server("toolbox", mode=mode)) as hub:
            assert (await hub.handle_request("mcp/tool.toolbox.add", {"a": 1, "b": 1}))["sum"] == 2
            (server,) = (await hub.handle_request("mcp/servers", {}))["servers"]
    assert server["protocol_version"] == {"auto": "2026-07-28", "legacy": "2025-11-25"}[mode]
    assert (server["state"], server["transport"], server["last_error"]) == ("ready", "stdio", None)


async def test_roots_of_the_server_go_before_those_of_the_section(
    open_hub: OpenHub, own_server: OwnServer, tmp_path: Path
) -> None:
    own, shared = tmp_path / "own", tmp_path / "shared"
    servers = (own_server("rooted", roots=[str(own)]), own_server("rooted") | {"name": "second"})
    with anyio.fail_after(20):
        async with open_hub(*servers, roots=[str(shared)]) as hub:
            assert (await hub.handle_request("mcp/tool.rooted.roots", {}))["result"] == [own.as_uri()]
            assert (await hub.handle_request("mcp/tool.second.roots", {}))["result"] == [shared.as_uri()]
