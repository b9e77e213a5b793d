"""Files that code is given, and those that it leaves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.providers.base import TaskContext

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("tier", ["ns", "ll"])
async def test_files_can_be_read_by_their_own_names_and_not_written(
    tier: str, start: Any, task: TaskContext, root: Path
) -> None:
    (root / "sub").mkdir()
    (root / "sub" / "data.csv").write_text("1,2", encoding="utf-8")
    (root / "modules").mkdir()
    (root / "modules" / "tide.py").write_text("HIGH = 3", encoding="utf-8")
    provider = await start(tier=tier)
    code = """
import tide
try:
    open("sub/data.csv", "a").write("x")
    wrote = True
except OSError:
    wrote = False
result = [open("sub/data.csv").read(), wrote, tide.HIGH]
"""
    parameters = {"code": code, "files": ["sub/data.csv"], "env": {"PYTHONPATH": "modules"}}
    assert await provider.handle_request("python/execute", parameters) == {"result": ["1,2", False, 3]}
    assert (root / "sub" / "data.csv").read_text(encoding="utf-8") == "1,2"


@pytest.mark.parametrize("tier", ["ns", "ll"])
async def test_artifacts_are_kept_where_later_tasks_can_name_them(
    tier: str, start: Any, task: TaskContext, root: Path
) -> None:
    provider = await start(tier=tier)
    code = (
        "import os\nos.mkdir('out')\nopen('out/a.csv', 'w').write('1')\nopen('b.txt', 'w').close()\nresult = {'n': 1}"
    )
    answer = await provider.handle_request("python/execute", {"code": code, "artifacts": ["**/*.csv"]})
    assert answer == {"artifacts": [{"name": "out/a.csv", "size": 1, "path": "artifacts/run/code/out/a.csv"}], "n": 1}
    assert (root / "artifacts" / "run" / "code" / "out" / "a.csv").read_bytes() == b"1"
    parameters = {"code": "result = open(args).read()", "files": [answer["artifacts"][0]["path"]]}
    again = await provider.handle_request("python/execute", {**parameters, "args": answer["artifacts"][0]["path"]})
    assert again == {"result": "1"}


async def test_a_link_is_no_artifact_and_too_much_is_an_error(start: Any, task: TaskContext, root: Path) -> None:
    provider = await start(max_artifacts="1K")
    code = "import os\nos.symlink('/etc/passwd', 'a.txt')"
    answer = await provider.handle_request("python/execute", {"code": code, "artifacts": ["*.txt"]})
    assert answer == {"artifacts": [], "result": None}
    with pytest.raises(GleitzeitError, match="artifacts"):
        await provider.handle_request(
            "python/execute", {"code": "open('a.txt', 'w').write('x' * 2000)", "artifacts": ["*.txt"]}
        )


@pytest.mark.parametrize("tier", ["ns", "ll"])
async def test_nothing_of_the_host_is_there(tier: str, start: Any, task: TaskContext, root: Path) -> None:
    (root / "secret.txt").write_text("secret", encoding="utf-8")
    provider = await start(tier=tier)
    code = "try:\n    result = open(args).read()\nexcept OSError as error:\n    result = type(error).__name__"
    answer = await provider.handle_request("python/execute", {"code": code, "args": str(root / "secret.txt")})
    assert answer["result"] in ("FileNotFoundError", "PermissionError")
