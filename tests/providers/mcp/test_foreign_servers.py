"""Servers that others wrote, from PyPI and npm."""

from __future__ import annotations

import http.server
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractAsyncContextManager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.providers.mcp.servers.task import called, row_of
from tests.ways import some

from gleitzeit.core.errors import MethodNotFoundError, ToolFailedError, ValidationError
from gleitzeit_mcp import MCPHubProvider

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]
NpmServer = Callable[..., dict[str, Any]]

EITHER = pytest.mark.parametrize("mode", ["auto", "legacy"])
MODERN = pytest.mark.parametrize("mode", some(["auto"], ["auto", "legacy"]))
OLDER = pytest.mark.parametrize("mode", some(["legacy"], ["auto", "legacy"]))
MODERN_TOO = {"auto": "2026-07-28", "legacy": "2025-11-25"}

ARTICLE = """<html><head><title>Tides</title></head><body><article><h1>Tides</h1>
<p>The water comes twice a day, and twice a day it goes, wherever the moon is not in the way of it.</p>
<p>Whoever lives beside it knows the hours by heart, and does not ask why it is so.</p></article></body></html>"""
PAGES = {
    "/tides": (200, "text/html", ARTICLE),
    "/plain": (200, "text/plain", "just text"),
    "/private": (200, "text/plain", "not for robots"),
    "/robots.txt": (200, "text/plain", "User-agent: *\nDisallow: /private\n"),
}


class Site(http.server.BaseHTTPRequestHandler):
    """A few pages."""

    def do_GET(self) -> None:
        code, kind, text = PAGES.get(self.path, (404, "text/plain", "there is no such page"))
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as the base class names it
        """Nobody reads along."""


@pytest.fixture
def site() -> Generator[str]:
    """The address of a server of pages on loopback."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        serving.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        serving.join()


def python_server(module: str, *args: str, **others: Any) -> dict[str, Any]:
    return {"name": module, "command": sys.executable, "args": ["-m", module, *args], **others}


@EITHER
async def test_time_converts_between_zones(open_hub: OpenHub, mode: str) -> None:
    server = python_server("mcp_server_time", "--local-timezone", "UTC", tool_prefix="time.", mode=mode)
    noon = {"source_timezone": "UTC", "time": "12:00", "target_timezone": "Asia/Tokyo"}
    with anyio.fail_after(30):
        async with open_hub(server) as hub:
            result = await called(hub, "time.convert_time", noon)
            now = await called(hub, "time.get_current_time", {"timezone": "Asia/Tokyo"})
            with pytest.raises(ToolFailedError, match="Atlantis"):
                await called(hub, "time.get_current_time", {"timezone": "Atlantis/Center"})
            row = await row_of(hub, "mcp_server_time")
    assert "21:00" in result["text"]
    assert result["time_difference"] == "+9.0h"
    assert now["timezone"] == "Asia/Tokyo"
    assert row["protocol_version"] == MODERN_TOO[mode]


@MODERN
async def test_git_takes_changes_from_the_folder_to_the_log(open_hub: OpenHub, tmp_path: Path, mode: str) -> None:
    subprocess.run(["git", "init", "--quiet", "-b", "main", str(tmp_path)], check=True)  # noqa: ASYNC221  # nothing else runs yet
    for name in ("user.name", "user.email"):
        subprocess.run(["git", "-C", str(tmp_path), "config", name, "ada@example.org"], check=True)  # noqa: ASYNC221
    (tmp_path / "new.txt").write_text("new\n", encoding="utf-8")
    server = python_server("mcp_server_git", "--repository", str(tmp_path), tool_prefix="git.", mode=mode)

    async def git(tool: str, **parameters: Any) -> str:
        result = await called(hub, f"git.git_{tool}", {"repo_path": str(tmp_path), **parameters})
        return str(result["text"])

    with anyio.fail_after(30):
        async with open_hub(server) as hub:
            assert "new.txt" in await git("status")
            await git("add", files=["new.txt"])
            assert "+new" in await git("diff_staged")
            await git("commit", message="Begin")
            assert "Begin" in await git("log", max_count=1)
            await git("create_branch", branch_name="side")
            await git("checkout", branch_name="side")
            assert "* side" in await git("branch", branch_type="local")
            assert "+new" in await git("show", revision="HEAD")
            with pytest.raises(ToolFailedError, match=r"outside|allowed"):
                await called(hub, "git.git_status", {"repo_path": "/"})
            with pytest.raises(ValidationError, match="repo_path"):
                await hub.validate_request("mcp/tool.git.git_status", {})
            row = await row_of(hub, "mcp_server_git")
    assert row["protocol_version"] == MODERN_TOO[mode]


@OLDER
async def test_fetch_brings_pages_as_far_as_it_may(open_hub: OpenHub, site: str, mode: str) -> None:
    # Where there is no Node, it reads pages in Python, and does not ask npm for anything.
    server = python_server("mcp_server_fetch", "--allow-private-ips", env={"PATH": "/nowhere"}, mode=mode)

    async def fetched(path: str, **parameters: Any) -> str:
        result = await called(hub, "mcp_server_fetch.fetch", {"url": site + path, **parameters})
        return str(result["text"])

    with anyio.fail_after(40):
        async with open_hub(server) as hub:
            article = await fetched("/tides")
            part = await fetched("/plain", raw=True, max_length=4)
            with pytest.raises(ToolFailedError, match=r"robots\.txt"):
                await fetched("/private")
            with pytest.raises(ToolFailedError, match="404"):
                await fetched("/missing")
            prompt = {"name": "fetch", "arguments": {"url": site + "/private"}}
            asked_for = await hub.handle_request("mcp/prompt.get", prompt)
            row = await row_of(hub, "mcp_server_fetch")
    assert "comes twice a day" in article
    assert "<p>" not in article
    assert "just" in part
    assert "just text" not in part
    assert "not for robots" in asked_for["messages"][0]["content"]["text"]
    assert row["protocol_version"] == MODERN_TOO[mode]


async def test_fetch_refuses_addresses_of_this_machine_by_itself(open_hub: OpenHub, site: str) -> None:
    with anyio.fail_after(30):
        async with open_hub(python_server("mcp_server_fetch")) as hub:
            with pytest.raises(ToolFailedError, match="not a public address"):
                await called(hub, "fetch", {"url": site + "/plain"})


@pytest.mark.node
@MODERN
async def test_filesystem_works_inside_the_roots_it_is_offered(
    open_hub: OpenHub, npm_server: NpmServer, tmp_path: Path, mode: str
) -> None:
    (tmp_path / "data.json").write_text('{"x": 1}', encoding="utf-8")
    (tmp_path / "dot.png").write_bytes(b"\x89PNG\r\n\x1a\n")

    async def fs(tool: str, name: str = ".", **parameters: Any) -> dict[str, Any]:
        return await called(hub, f"fs.{tool}", {"path": str(tmp_path / name), **parameters})

    with anyio.fail_after(30):
        async with open_hub(npm_server("filesystem", tool_prefix="fs.", mode=mode), roots=[str(tmp_path)]) as hub:
            read = await fs("read_text_file", "data.json")
            with pytest.raises(ToolFailedError, match="outside allowed directories"):
                await called(hub, "filesystem.read_text_file", {"path": "/etc/hostname"})
            await fs("create_directory", "deep/er")
            await fs("write_file", "deep/er/words.txt", content="one\ntwo\n")
            edit = {"oldText": "two", "newText": "three"}
            await fs("edit_file", "deep/er/words.txt", edits=[edit])
            found = await fs("search_files", pattern="**/*.txt")
            tree = await fs("directory_tree")
            moved = {"source": str(tmp_path / "deep/er/words.txt"), "destination": str(tmp_path / "words.txt")}
            await called(hub, "fs.move_file", moved)
            media = await fs("read_media_file", "dot.png")
            listed = await fs("list_directory")
            spec = await hub.describe("mcp/tool.fs.read_text_file")
    assert read["content"] == '{"x": 1}'
    assert "words.txt" in found["text"]
    assert "words.txt" in tree["text"]
    assert (tmp_path / "words.txt").read_text(encoding="utf-8") == "one\nthree\n"
    assert media["content"][0]["mimeType"] == "image/png"
    assert "[DIR] deep" in listed["text"]
    assert spec is not None
    assert spec.read_only


@pytest.mark.node
@OLDER
async def test_memory_keeps_what_it_is_told(
    open_hub: OpenHub, npm_server: NpmServer, tmp_path: Path, mode: str
) -> None:
    server = npm_server("memory", env={"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")}, mode=mode)
    entities = [_entity("Gleitzeit", "runs workflows"), _entity("Ada", "writes them")]
    relation = {"from": "Ada", "to": "Gleitzeit", "relationType": "uses"}
    with anyio.fail_after(30):
        async with open_hub(server) as hub:
            await called(hub, "memory.create_entities", {"entities": entities})
            await called(hub, "memory.create_relations", {"relations": [relation]})
            found = await called(hub, "memory.search_nodes", {"query": "workflows"})
            graph = await hub.handle_request("mcp/resource.read", {"uri": "memory://knowledge-graph"})
            await called(hub, "memory.delete_entities", {"entityNames": ["Ada"]})
        async with open_hub(server) as hub:
            left = await called(hub, "memory.read_graph")
    assert found["entities"][0]["observations"] == ["runs workflows"]
    assert "uses" in graph["text"]
    assert [entity["name"] for entity in left["entities"]] == ["Gleitzeit"]
    assert left["relations"] == []


@pytest.mark.node
async def test_six_of_them_stand_side_by_side_and_answer_for_themselves(
    open_hub: OpenHub, npm_server: NpmServer, tmp_path: Path
) -> None:
    servers = [
        npm_server("everything"),
        npm_server("filesystem", str(tmp_path)),
        npm_server("memory", env={"MEMORY_FILE_PATH": str(tmp_path / "memory.jsonl")}),
        python_server("mcp_server_time", "--local-timezone", "UTC"),
        python_server("mcp_server_git"),
        python_server("mcp_server_fetch"),
    ]
    with anyio.fail_after(50):
        async with open_hub(*servers) as hub:
            for server in servers:
                await hub.connection(server["name"]).ready(40)
            tools = (await hub.handle_request("mcp/tools/list", {}))["tools"]
            results: dict[str, Mapping[str, Any]] = {}

            async def call(method: str, **parameters: Any) -> None:
                results[method] = await called(hub, method, parameters)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(partial(call, "get-sum", a=1, b=2))
                tasks.start_soon(call, "list_allowed_directories")
                tasks.start_soon(call, "read_graph")
                tasks.start_soon(partial(call, "get_current_time", timezone="UTC"))
            prompts = (await hub.handle_request("mcp/prompts/list", {}))["prompts"]
            resources = await hub.handle_request("mcp/resources/list", {})
            with pytest.raises(MethodNotFoundError, match="gti_status") as unknown:
                await called(hub, "mcp_server_git.gti_status", {})
    assert {tool["server"] for tool in tools} == {server["name"] for server in servers}
    assert str(tmp_path) in results["list_allowed_directories"]["text"]
    assert "3" in results["get-sum"]["text"]
    assert results["get_current_time"]["timezone"] == "UTC"
    assert results["read_graph"]["entities"] == []
    assert {prompt["server"] for prompt in prompts} == {"everything", "mcp_server_fetch"}
    assert {resource["server"] for resource in resources["resources"]} == {"everything", "memory"}
    assert "problems" not in resources
    assert unknown.value.hint == 'did you mean "mcp/tool.mcp_server_git.git_status"?'


def _entity(name: str, observation: str) -> dict[str, Any]:
    return {"name": name, "entityType": "thing", "observations": [observation]}
