"""A foreign client, the MCP Inspector's command line, runs the user's custom protocol, over stdio and over SSE."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
INSPECTOR = ROOT / "tests/servers/node_modules/@modelcontextprotocol/inspector/cli/build/cli.js"
NODE = shutil.which("node")

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(NODE is None, reason="Node is missing"),
    pytest.mark.skipif(not INSPECTOR.exists(), reason="the npm servers are not installed: make test installs them"),
]


@pytest.fixture
def environment(tmp_path: Path, document_blocks: Mapping[int, str]) -> dict[str, str]:
    """A user's home whose configuration names the module that registers the custom protocol."""
    folder = tmp_path / "providers"
    folder.mkdir()
    for block, name in {16: "my_protocol.py", 17: "my_provider.py", 18: "register_my_protocol.py"}.items():
        (folder / name).write_text(document_blocks[block], encoding="utf-8")
    configuration = {"providers": {"modules": ["register_my_protocol"], "path": [str(folder)]}}
    home = tmp_path / "home"
    (home / ".gleitzeit").mkdir(parents=True)
    (home / ".gleitzeit" / "config.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
    kept = {key: value for key, value in os.environ.items() if not key.startswith("GLEITZEIT_")}
    return {**kept, "HOME": str(home), "GLEITZEIT_HOME": str(home / ".gleitzeit")}


@pytest.fixture
def host_configuration(tmp_path: Path) -> Path:
    """claude_config_example.json, with what `uvx --from PATH gleitzeit-mcp` starts in place of uvx."""
    configuration = json.loads((ROOT / "claude_config_example.json").read_text(encoding="utf-8"))
    server = configuration["mcpServers"]["gleitzeit"]
    command = server["args"][-1]
    server["command"], server["args"] = str(Path(sys.executable).with_name(command)), []
    path = tmp_path / "host.json"
    path.write_text(json.dumps(configuration), encoding="utf-8")
    return path


@pytest.fixture
def address(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """Where `gleitzeit serve` answers SSE, once it says that it does."""
    command = [sys.executable, "-m", "gleitzeit", "serve", "--port", "0", "--json"]
    with (
        (tmp_path / "serve.log").open("w", encoding="utf-8") as log,
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True) as server,
    ):
        assert server.stdout is not None
        try:
            announced = ""
            for line in server.stdout:
                announced += line
                if line.rstrip() == "}":
                    break
            assert announced, (tmp_path / "serve.log").read_text(encoding="utf-8")
            yield json.loads(announced)["sse"]
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=10) == 0


def inspect(environment: dict[str, str], *arguments: str) -> dict[str, Any]:
    outcome = subprocess.run(
        [str(NODE), str(INSPECTOR), "--cli", *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=50,
        check=False,
    )
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    answer: dict[str, Any] = json.loads(outcome.stdout)
    return answer


def submission(workflow: str) -> list[str]:
    return ["--method", "tools/call", "--tool-name", "submit_workflow", "--tool-arg", f"workflow={workflow}"]


def check_result(answer: Mapping[str, Any]) -> None:
    assert not answer.get("isError"), answer
    run = answer["structuredContent"]
    assert run["status"] == "completed"
    assert run["outputs"]["transform_output"] == {"transformed": "Dlrow Olleh", "format": "title"}


def test_the_inspector_runs_the_custom_workflow_over_stdio(
    host_configuration: Path, environment: dict[str, str], document_blocks: Mapping[int, str]
) -> None:
    target = ["--config", str(host_configuration), "--server", "gleitzeit"]
    check_result(inspect(environment, *target, *submission(document_blocks[19])))


def test_the_inspector_runs_the_custom_workflow_over_sse(
    address: str, environment: dict[str, str], document_blocks: Mapping[int, str]
) -> None:
    check_result(inspect(environment, address, "--transport", "sse", *submission(document_blocks[19])))


def test_the_inspector_lists_the_tools_over_stdio(host_configuration: Path, environment: dict[str, str]) -> None:
    target = ["--config", str(host_configuration), "--server", "gleitzeit"]
    tools = {tool["name"] for tool in inspect(environment, *target, "--method", "tools/list")["tools"]}
    assert tools >= {
        "submit_workflow",
        "inspect_run",
        "list_runs",
        "cancel_run",
        "validate_workflow",
        "query_method",
        "call_method",
        "search_methods",
    }
