"""Code as tasks of workflows, carried out by the engine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from gleitzeit import GleitzeitClient
from gleitzeit.core.models import Run
from gleitzeit.registry import ProtocolProviderRegistry

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform != "linux", reason="the tiers ns and ll need Linux")]


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProtocolProviderRegistry, "_instance", None, raising=False)


async def carried_out(tmp_path: Path, *tasks: dict[str, Any], **python: Any) -> Run:
    config = {
        "files": {"roots": [str(tmp_path)]},
        "providers": {"python": python},
        "engine": {"database": "memory"},
    }
    async with GleitzeitClient(mode="native", config=config) as client:
        return await client.run_workflow({"name": "code", "tasks": list(tasks)})


async def test_tasks_of_code_follow_each_other(tmp_path: Path) -> None:
    (tmp_path / "generate_data.py").write_text("import json\nprint(json.dumps({'data': [1, 2]}))", encoding="utf-8")
    run = await carried_out(
        tmp_path,
        {"id": "generate", "method": "python/execute", "parameters": {"script": "generate_data.py"}},
        {
            "id": "total",
            "method": "python/execute",
            "parameters": {"code": "result = sum(args)", "args": "${generate.data}"},
        },
    )
    assert run.status == "completed"
    assert run.tasks["total"]["result"] == 3
    assert run.tasks["total"].metadata["sandbox"]["tier"] in ("ns", "ll")


async def test_a_call_of_the_code_is_a_call_of_the_task(tmp_path: Path) -> None:
    code = "answer = await call('python/validate', code='x = (')\nresult = answer['valid']"
    task = {"id": "code", "method": "python/execute", "parameters": {"code": code}}
    run = await carried_out(tmp_path, {**task, "calls": ["python/validate"]}, workers=1)
    assert run.tasks["code"].result == {"result": False}
    run = await carried_out(tmp_path, task)
    assert run.status == "failed"
    assert "may not call python/validate: its `calls` name nothing" in str(run.tasks["code"].error)


async def test_a_timeout_of_the_task_keeps_what_was_printed(tmp_path: Path) -> None:
    code = "import time\nprint('so far')\ntime.sleep(600)"
    run = await carried_out(
        tmp_path, {"id": "code", "method": "python/execute", "timeout": 4, "parameters": {"code": code}}
    )
    result = run.tasks["code"]
    assert result.error is not None
    assert result.error.code == "timeout"
    assert result.metadata["stdout"] == "so far\n"


async def test_a_failure_says_where_and_keeps_its_output(tmp_path: Path) -> None:
    run = await carried_out(
        tmp_path,
        {"id": "code", "method": "python/execute", "parameters": {"code": "print('a')\nraise ValueError('b')"}},
    )
    result = run.tasks["code"]
    assert result.error is not None
    assert "ValueError: b" in result.error.message
    assert result.metadata["stdout"] == "a\n"


async def test_code_is_not_filled_in(tmp_path: Path) -> None:
    run = await carried_out(
        tmp_path, {"id": "code", "method": "python/execute", "parameters": {"code": "result = '$' + '{x}'"}}
    )
    assert run.tasks["code"].result == {"result": "${x}"}
