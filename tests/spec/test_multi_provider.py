"""The workflow of several providers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from tests.providers.ollama.fake.node import FakeOllama
from tests.providers.ollama.real.nodes import real_nodes

from gleitzeit import GleitzeitClient
from gleitzeit.application import open_application
from gleitzeit.config import load_configuration
from gleitzeit.core.document import read
from gleitzeit.core.graph import edges, waves
from gleitzeit.core.models import Run
from gleitzeit.registry import ProtocolProviderRegistry


def test_its_order_follows_from_dependencies_and_references(document_blocks: Mapping[int, str]) -> None:
    workflow = read(document_blocks[30]).require()
    assert workflow.name == "Multi-Provider Example"
    order = [tuple(wave) for wave in waves(edges(workflow))]
    assert order == [("generate",), ("analyze",), ("calculate",), ("report",)]


@pytest.mark.anyio
async def test_it_is_valid_as_it_stands(document_blocks: Mapping[int, str], tmp_path: Path) -> None:
    configuration = load_configuration(environ={"GLEITZEIT_HOME": str(tmp_path)})
    with anyio.fail_after(20):
        async with open_application(configuration, registry=ProtocolProviderRegistry()) as application:
            checked = await application.check(document_blocks[30])
    assert [str(diagnostic) for diagnostic in checked.diagnostics] == []


async def carried_out(workflow: str, folder: Path, ollama: dict[str, Any]) -> Run:
    """The run of the workflow as it stands, with a script that generates the data."""
    (folder / "generate_data.py").write_text('print({"data": [3, 4]})', encoding="utf-8")
    (folder / "workflow.yaml").write_text(workflow, encoding="utf-8")
    config = {"providers": {"ollama": ollama}, "files": {"roots": [str(folder)]}}
    async with GleitzeitClient(mode="native", config=config) as client:
        with anyio.fail_after(40):
            return await client.run_workflow(folder / "workflow.yaml")


@pytest.mark.anyio
async def test_it_runs_through(document_blocks: Mapping[int, str], tmp_path: Path) -> None:
    async with FakeOllama("llama3.2") as node:
        run = await carried_out(document_blocks[30], tmp_path, {"endpoint": node.url})
    assert run.status == "completed", run.error
    assert run.tasks["analyze"]["response"] == "You said: Analyze: [3,4]"
    assert run.tasks["calculate"]["result"] == 150
    report = "Create a report with:\nAnalysis: You said: Analyze: [3,4]\nCalculation result: 150"
    assert run.outputs["report"]["response"].strip() == f"You said: {report}"


@pytest.fixture
async def brief_model() -> AsyncIterator[tuple[str, str]]:
    """A real node, and a model of it that says no more than a sentence, as the document names no limit."""
    name = "gleitzeit-brief:latest"
    limit = {"from": "smollm2:135m", "parameters": {"num_predict": 24}}
    older = {"modelfile": "FROM smollm2:135m\nPARAMETER num_predict 24"}
    with real_nodes(1) as (node,):
        async with httpx2.AsyncClient(base_url=node, timeout=30, trust_env=False, verify=False) as client:
            made = await client.post("/api/create", json={"model": name, "stream": False, **limit, **older})
            assert made.status_code == 200, made.text
            yield node, name
            await client.request("DELETE", "/api/delete", json={"model": name})


@pytest.mark.anyio
@pytest.mark.ollama
async def test_it_runs_against_a_real_model(
    document_blocks: Mapping[int, str], tmp_path: Path, brief_model: tuple[str, str]
) -> None:
    node, name = brief_model
    run = await carried_out(document_blocks[30], tmp_path, {"endpoint": node, "models": {"llama3.2": name}})
    assert run.status == "completed", run.error
    assert run.tasks["analyze"]["response"]
    assert run.tasks["calculate"]["result"] == 150
    assert run.outputs["report"]["response"]
    assert run.tasks["report"]["model"] == name
