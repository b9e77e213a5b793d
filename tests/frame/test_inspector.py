"""A foreign client, the MCP Inspector's command line, sees and uses all there is, over every transport."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args

import pytest
import yaml
from tests.node import MODULES, newer_node, unavailable
from tests.ways import some

from gleitzeit.mcp_server.manifest.tools import TOOLS

ROOT = Path(__file__).parents[2]
INSPECTOR = MODULES / "@modelcontextprotocol/inspector/clients/launcher/build/index.js"

Transport = Literal["stdio", "http", "sse"]
Era = Literal["legacy", "modern"]

Way = tuple[Transport, Era]

EVERY: list[Way] = [(transport, era) for transport in get_args(Transport) for era in get_args(Era)]
RUNNING = some([("stdio", "legacy"), ("http", "modern")], EVERY)
LOOKING = some([("sse", "legacy")], EVERY)
STRICT = "--strict"  # complain of what some clients can't read in a schema

pytestmark = pytest.mark.node


@pytest.fixture(scope="module", autouse=True)
def inspector() -> None:
    """Skips where the Inspector can't be run."""
    reason = unavailable(INSPECTOR)
    if reason is not None:
        pytest.skip(reason)


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
def addresses(environment: dict[str, str], tmp_path: Path) -> Iterator[Mapping[str, str]]:
    """Where `gleitzeit serve` answers over each transport, once it says that it does."""
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
            told = json.loads(announced)
            yield {"http": told["streamable_http"], "sse": told["sse"]}
        finally:
            server.send_signal(signal.SIGTERM)
            assert server.wait(timeout=10) == 0


@pytest.fixture
def inspect(
    way: Way, request: pytest.FixtureRequest, host_configuration: Path, environment: dict[str, str]
) -> Callable[..., dict[str, Any]]:
    """Calls the Inspector, which connects to Gleitzeit over one transport and in one era."""
    transport, era = way
    if transport == "stdio":
        target = ["--config", str(host_configuration), "--server", "gleitzeit"]
    else:
        target = [request.getfixturevalue("addresses")[transport], "--transport", transport]

    def call(*arguments: str) -> dict[str, Any]:
        outcome = subprocess.run(
            [str(newer_node()), str(INSPECTOR), "--cli", *target, "--protocol-era", era, *arguments],
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

    return call


@pytest.mark.parametrize("way", RUNNING, ids="-".join)
def test_the_inspector_runs_the_custom_workflow(
    inspect: Callable[..., dict[str, Any]], document_blocks: Mapping[int, str]
) -> None:
    submission = ["--tool-name", "submit_workflow", "--tool-arg", f"workflow={document_blocks[19]}"]
    answer = inspect("--method", "tools/call", *submission)
    assert not answer.get("isError"), answer
    run = answer["structuredContent"]
    assert run["status"] == "completed"
    assert run["outputs"]["transform_output"] == {"transformed": "Dlrow Olleh", "format": "title"}


@pytest.mark.parametrize("way", LOOKING, ids="-".join)
def test_the_inspector_lists_all_there_is(inspect: Callable[..., dict[str, Any]]) -> None:
    tools = inspect("--method", "tools/list", STRICT)["tools"]
    assert {tool["name"] for tool in tools} >= set(TOOLS)
    prompts = inspect("--method", "prompts/list")["prompts"]
    assert {prompt["name"] for prompt in prompts} == {"write_workflow", "debug_run"}
    resources = inspect("--method", "resources/list")["resources"]
    assert {"gleitzeit://schema/workflow", "gleitzeit://servers"} <= {resource["uri"] for resource in resources}


@pytest.mark.parametrize("way", LOOKING, ids="-".join)
def test_the_inspector_gets_a_prompt_and_reads_a_resource(inspect: Callable[..., dict[str, Any]]) -> None:
    named = ["--prompt-name", "write_workflow", "--prompt-args", "goal=turn a text around"]
    prompt = inspect("--method", "prompts/get", *named)
    assert "turn a text around" in prompt["messages"][0]["content"]["text"]
    read = inspect("--method", "resources/read", "--uri", "gleitzeit://servers")
    assert json.loads(read["contents"][0]["text"])["servers"] == []
