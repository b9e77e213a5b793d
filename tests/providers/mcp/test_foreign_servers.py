"""Servers that others wrote, from PyPI and npm."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ToolFailedError
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]
NpmServer = Callable[..., dict[str, Any]]


def python_server(module: str, *args: str, **others: Any) -> dict[str, Any]:
    return {"name": module, "command": sys.executable, "args": ["-m", module, *args], **others}


async def test_time_converts_between_zones(open_hub: OpenHub) -> None:
    server = python_server("mcp_server_time", "--local-timezone", "UTC", tool_prefix="time.")
    with anyio.fail_after(30):
        async with open_hub(server) as hub:
            result = await hub.handle_request(
                "mcp/tool.time.convert_time",
                {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"},
            )
    assert "21:00" in result["text"]
    assert result["time_difference"] == "+9.0h"


async def test_git_shows_the_status_of_a_repository(open_hub: OpenHub, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", str(tmp_path)], check=True)  # noqa: ASYNC221  # nothing else runs yet
    (tmp_path / "new.txt").write_text("new", encoding="utf-8")
    with anyio.fail_after(30):
        async with open_hub(python_server("mcp_server_git", tool_prefix="git.")) as hub:
            result = await hub.handle_request("mcp/tool.git.git_status", {"repo_path": str(tmp_path)})
    assert "new.txt" in result["text"]


@pytest.mark.node
async def test_filesystem_reads_inside_the_roots_it_is_offered(
    open_hub: OpenHub, npm_server: NpmServer, tmp_path: Path
) -> None:
    (tmp_path / "data.json").write_text('{"x": 1}', encoding="utf-8")
    with anyio.fail_after(30):
        async with open_hub(npm_server("filesystem", tool_prefix="fs."), roots=[str(tmp_path)]) as hub:
            read = await hub.handle_request("mcp/tool.fs.read_text_file", {"path": str(tmp_path / "data.json")})
            with pytest.raises(ToolFailedError, match="outside allowed directories"):
                await hub.handle_request("mcp/tool.filesystem.read_text_file", {"path": "/etc/hostname"})
            spec = await hub.describe("mcp/tool.fs.read_text_file")
    assert read["content"] == '{"x": 1}'
    assert spec is not None
    assert spec.read_only


@pytest.mark.node
async def test_everything_adds_and_reports_progress(open_hub: OpenHub, npm_server: NpmServer) -> None:
    with anyio.fail_after(30):
        async with open_hub(npm_server("everything")) as hub:
            tools = (await hub.handle_request("mcp/tools/list", {}))["tools"]
            added = await hub.handle_request("mcp/tool.everything.get-sum", {"a": 2, "b": 3})
            image = await hub.handle_request("mcp/tool.everything.get-tiny-image", {})
            (server,) = (await hub.handle_request("mcp/servers", {}))["servers"]
    assert "5" in added["text"]
    assert any(block["type"] == "image" for block in image["content"])
    assert server["tools"] == len(tools) > 5
    assert server["protocol_version"] == "2025-11-25"


@pytest.mark.node
async def test_memory_keeps_what_it_is_told(open_hub: OpenHub, npm_server: NpmServer, tmp_path: Path) -> None:
    server = npm_server("memory", env={"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")})
    entity = {"name": "Gleitzeit", "entityType": "engine", "observations": ["runs workflows"]}
    with anyio.fail_after(30):
        async with open_hub(server) as hub:
            await hub.handle_request("mcp/tool.memory.create_entities", {"entities": [entity]})
            found = await hub.handle_request("mcp/tool.memory.search_nodes", {"query": "Gleitzeit"})
    assert found["entities"][0]["observations"] == ["runs workflows"]
