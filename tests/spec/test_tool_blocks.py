"""The tools of downstream servers, called as the document calls them.

The configuration is the document's own; behind its names stand small servers that speak MCP without the network.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

RunWorkflow = Callable[[str], dict[str, Any]]

SERVERS = {
    "filesystem": """
from pathlib import Path
from mcp.server import MCPServer

server = MCPServer("filesystem")

@server.tool()
def read(path: str) -> dict[str, str]:
    return {"path": path, "data": Path(path).read_text(encoding="utf-8")}

server.run()
""",
    "github": """
import os
from mcp.server import MCPServer

server = MCPServer("github")

@server.tool()
def create_issue(repo: str, title: str, body: str) -> dict[str, str]:
    return {"issue": f"{repo}: {title}: {body}", "token": os.environ["GITHUB_TOKEN"][:4]}

server.run()
""",
}
# The document calls GitHub's tools `gh.*` without showing the key that says so.
PREFIXES = {"github": "gh."}


@pytest.fixture
def carry_out(
    tmp_path: Path, document_blocks: Mapping[int, str], run_workflow: RunWorkflow, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], dict[str, Any]]:
    """Runs a workflow on the command line, in a folder with the document's configuration, and returns its run."""
    monkeypatch.setenv("GITHUB_TOKEN", "made-up-token")
    configuration = yaml.safe_load(document_blocks[9])
    for server in configuration["mcp"]["servers"]:
        program = tmp_path / f"{server['name']}.py"
        program.write_text(SERVERS[server["name"]], encoding="utf-8")
        server["command"] = [sys.executable, str(program)]
        server["working_dir"] = str(tmp_path)
        server.setdefault("tool_prefix", PREFIXES.get(server["name"]))
    (tmp_path / "home" / ".gleitzeit").mkdir(parents=True)
    (tmp_path / "home" / ".gleitzeit" / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    (tmp_path / "data.json").write_text('{"tide": "high"}', encoding="utf-8")

    def run(workflow: str) -> dict[str, Any]:
        (tmp_path / "workflow.yaml").write_text(workflow, encoding="utf-8")
        answer = run_workflow("workflow.yaml")
        assert answer["status"] == "completed"
        return answer

    return run


def test_a_tool_block_is_carried_out_by_the_server_with_its_prefix(
    entry: Any, document_blocks: Mapping[int, str], carry_out: Callable[[str], dict[str, Any]]
) -> None:
    if entry.block == 9:
        run = carry_out('tasks: [{id: task, method: mcp/tool.filesystem.read, parameters: {path: "./data.json"}}]')
    else:
        run = carry_out(entry.complete(document_blocks[entry.block]))
    result = run["tasks"]["task"]["result"]
    if entry.block == 11:
        assert result["issue"] == "myorg/myrepo: New Issue: Issue description"
        assert result["token"] == "made"
    else:
        assert (result["path"], result["data"]) == ("./data.json", '{"tide": "high"}')


def test_the_tools_of_all_servers_are_listed(
    entry: Any, document_blocks: Mapping[int, str], carry_out: Callable[[str], dict[str, Any]]
) -> None:
    result = carry_out(entry.complete(document_blocks[entry.block]))["tasks"]["task"]["result"]
    assert result["count"] == 2
    assert {(tool["server"], tool["name"].rsplit(".", 1)[-1]) for tool in result["tools"]} == {
        ("filesystem", "read"),
        ("github", "create_issue"),
    }


def test_the_servers_are_listed(
    entry: Any, document_blocks: Mapping[int, str], carry_out: Callable[[str], dict[str, Any]]
) -> None:
    result = carry_out(entry.complete(document_blocks[entry.block]))["tasks"]["task"]["result"]
    assert result["count"] == 2
    assert {server["name"] for server in result["servers"]} == {"filesystem", "github"}
