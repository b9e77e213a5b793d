"""What decides a result of code that a task may keep."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from gleitzeit import GleitzeitClient
from gleitzeit.core.errors import NotFoundError
from gleitzeit.providers.base import CacheKey
from gleitzeit_python.cache import cache_facts
from gleitzeit_python.config import PythonSettings

pytestmark = pytest.mark.anyio


async def key(root: Path, **parameters: Any) -> CacheKey:
    return await cache_facts(parameters, PythonSettings(), [root])


async def test_what_a_script_holds_decides_its_result(tmp_path: Path) -> None:
    script = tmp_path / "make.py"
    script.write_text("print(1)", encoding="utf-8")
    first = await key(tmp_path, script="make.py")
    assert await key(tmp_path, script="make.py") == first
    assert first.repeatable
    script.write_text("print(2)", encoding="utf-8")
    assert await key(tmp_path, script="make.py") != first


async def test_what_the_files_hold_decides_it(tmp_path: Path) -> None:
    data = tmp_path / "data.csv"
    data.write_text("1", encoding="utf-8")
    first = await key(tmp_path, code="result = 1", files=["data.csv"])
    data.write_text("2", encoding="utf-8")
    assert await key(tmp_path, code="result = 1", files=["data.csv"]) != first


async def test_modules_that_may_change_are_kept_only_where_it_is_forced(tmp_path: Path) -> None:
    (tmp_path / "modules").mkdir()
    found = await key(tmp_path, code="import mine", env={"PYTHONPATH": "modules"})
    assert not found.repeatable
    assert "PYTHONPATH" in found.reason


async def test_a_file_that_there_is_not_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"data\.csv"):
        await key(tmp_path, code="result = 1", files=["data.csv"])


@pytest.mark.skipif(sys.platform != "linux", reason="the tiers ns and ll need Linux")
async def test_a_result_is_used_again_until_the_script_changes(tmp_path: Path) -> None:
    script = tmp_path / "chance.py"
    script.write_text("import random\nprint(random.random())", encoding="utf-8")
    parameters = {"script": "chance.py"}
    task = {"id": "chance", "method": "python/execute", "parameters": parameters, "cache": {"ttl": 60}}
    config = {"files": {"roots": [str(tmp_path)]}, "engine": {"database": "memory"}}
    async with GleitzeitClient(mode="native", config=config) as client:
        results = [(await client.run_workflow({"tasks": [task]})).tasks["chance"].result for _ in range(2)]
        assert results[0] == results[1]
        script.write_text("import random\nprint(-random.random())", encoding="utf-8")
        assert (await client.run_workflow({"tasks": [task]})).tasks["chance"].result not in results
