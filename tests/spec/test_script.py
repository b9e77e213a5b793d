"""The script that the document shows for python/execute."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from gleitzeit import GleitzeitClient

RunProgram = Callable[..., CompletedProcess[str]]


@pytest.mark.parametrize(("arguments", "seen"), [(['{"input": "data.csv"}'], {"input": "data.csv"}), ([], {})])
def test_the_script_prints_what_it_made_of_its_arguments(
    arguments: list[str],
    seen: dict[str, str],
    tmp_path: Path,
    table: list[Any],
    document_blocks: Mapping[int, str],
    run_program: RunProgram,
) -> None:
    (tmp_path / "process.py").write_text(table[6].complete(document_blocks[7]), encoding="utf-8")
    outcome = run_program("process.py", *arguments)
    assert json.loads(outcome.stdout) == {"status": "success", "data": {"seen": seen}}


@pytest.mark.anyio
async def test_the_script_is_a_task(tmp_path: Path, table: list[Any], document_blocks: Mapping[int, str]) -> None:
    (tmp_path / "process.py").write_text(table[6].complete(document_blocks[7]), encoding="utf-8")
    task = {"id": "process", "method": "python/execute", "parameters": {"script": "process.py", "args": {"n": 1}}}
    (tmp_path / "workflow.yaml").write_text(json.dumps({"tasks": [task]}), encoding="utf-8")
    async with GleitzeitClient(mode="native", config={"files": {"roots": [str(tmp_path)]}}) as client:
        checked = await client.validate(tmp_path / "workflow.yaml")
        run = await client.run_workflow(tmp_path / "workflow.yaml") if not checked.diagnostics else None
    assert [str(diagnostic) for diagnostic in checked.diagnostics] == []
    assert run is not None
    assert run.tasks["process"]["data"] == {"seen": {"n": 1}}
