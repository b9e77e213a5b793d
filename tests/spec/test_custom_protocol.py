"""A user writes a protocol, a provider and a workflow from the document, and all of it works as written."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import yaml

RunProgram = Callable[..., CompletedProcess[str]]

REVERSED_TITLE = "Dlrow Olleh"


def check_results(tasks: Mapping[str, Any]) -> None:
    assert list(tasks) == ["process_data", "analyze_result", "transform_output"]
    assert {task["status"] for task in tasks.values()} == {"completed"}
    processed = tasks["process_data"]["result"]
    assert processed["success"] is True
    assert processed["result"] == "DLROW OLLEH"
    assert processed["metadata"]["provider"] == "my-provider-1"
    assert processed["execution_time"] >= 0.1
    assert tasks["analyze_result"]["result"] == {
        "analysis": {"length": 11, "type": "str", "depth": "deep", "word_count": 2, "unique_chars": 8}
    }
    assert tasks["transform_output"]["result"] == {"transformed": REVERSED_TITLE, "format": "title"}


def test_the_three_modules_import_and_register(custom_protocol: Path, run_program: RunProgram) -> None:
    program = """
import json
import register_my_protocol
from gleitzeit.registry import ProtocolProviderRegistry
registry = ProtocolProviderRegistry.get_instance()
print(json.dumps({
    "protocols": {protocol.id: sorted(protocol.methods) for protocol in registry.list_protocols()},
    "providers": [provider.provider_id for provider in registry.list_providers()],
    "found": registry.find("myprotocol/analyze").provider_id,
}))
"""
    outcome = run_program("-W", "error", "-c", program)
    methods = ["myprotocol/analyze", "myprotocol/process", "myprotocol/transform"]
    assert json.loads(outcome.stdout) == {
        "protocols": {"myprotocol/v1": methods},
        "providers": ["my-provider-1"],
        "found": "my-provider-1",
    }


def test_the_workflow_runs_through_the_client(custom_protocol: Path, run_program: RunProgram) -> None:
    program = """
import asyncio, json
import register_my_protocol
from gleitzeit import GleitzeitClient

async def main():
    async with GleitzeitClient(mode="native") as client:
        run = await client.run_workflow("custom_workflow.yaml")
        print(json.dumps(run.to_dict()))

asyncio.run(main())
"""
    run = json.loads(run_program("-W", "error", "-c", program).stdout)
    assert run["name"] == "Custom Protocol Example"
    assert run["status"] == "completed"
    check_results(run["tasks"])
    assert run["outputs"]["transform_output"]["transformed"] == REVERSED_TITLE


def test_the_workflow_runs_from_the_command_line(custom_protocol: Path, run_program: RunProgram) -> None:
    home = custom_protocol / "home" / ".gleitzeit"
    home.mkdir(parents=True)
    providers = {"modules": ["register_my_protocol"], "path": [str(custom_protocol)]}
    (home / "config.yaml").write_text(yaml.safe_dump({"providers": providers}), encoding="utf-8")
    run = json.loads(run_program("-m", "gleitzeit", "run", "custom_workflow.yaml", "--json").stdout)
    assert run["status"] == "completed"
    check_results(run["tasks"])


def test_the_client_program_prints_both_results(
    custom_protocol: Path, document_blocks: Mapping[int, str], run_program: RunProgram
) -> None:
    (custom_protocol / "use_custom_protocol.py").write_text(document_blocks[20], encoding="utf-8")
    outcome = run_program("-W", "error", "use_custom_protocol.py")
    result, workflow = re.fullmatch(r"Result: (.+)\nWorkflow result: (.+)\n", outcome.stdout, re.DOTALL).groups()  # type: ignore[union-attr]
    assert "custom_task" in result
    assert "ATAD TSET" in result
    assert "completed" in workflow
    assert REVERSED_TITLE in workflow
    assert outcome.stderr == ""


def test_the_providers_own_test_passes(
    custom_protocol: Path, document_blocks: Mapping[int, str], run_program: RunProgram
) -> None:
    (custom_protocol / "test_my_provider.py").write_text(document_blocks[21], encoding="utf-8")
    outcome = run_program("-m", "pytest", "-p", "no:cacheprovider", "test_my_provider.py")
    assert re.search(r"=+ 1 passed in ", outcome.stdout), outcome.stdout
