"""`python/validate`: what is wrong with code, without running it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gleitzeit.providers.base import TaskContext
from gleitzeit_python.inspection import inspected


@pytest.mark.parametrize(
    ("code", "inline", "allowed", "found"),
    [
        ("x = 1", True, None, []),
        ("x = (", True, None, [(1, 5, "'(' was never closed")]),
        ("await f()", True, None, []),
        ("await f()", False, None, [(1, 1, "'await' outside function")]),
        ("return 1", True, None, [(1, 1, "'return' outside function")]),
        ("import os, json\nfrom csv import x", True, ["json"], [(1, 1, 'module "os"'), (2, 1, 'module "csv"')]),
        ("import os.path\nimport sys, gleitzeit_sandbox", True, ["os"], []),
        ("from os import path", True, ["os.path"], []),
        ("from . import x", True, [], []),
        ("x = 1\0", True, None, [(1, 1, "source code string")]),
    ],
)
def test_problems_have_lines(
    code: str, inline: bool, allowed: list[str] | None, found: list[tuple[int, int, str]]
) -> None:
    problems = inspected(code, "x.py", inline, allowed)
    assert [(problem["line"], problem["column"]) for problem in problems] == [
        (line, column) for line, column, _ in found
    ]
    assert all(problem["message"].startswith(words) for problem, (_, _, words) in zip(problems, found, strict=True))


@pytest.mark.anyio
async def test_code_is_looked_at_in_the_sandbox(start: Any, task: TaskContext, root: Path) -> None:
    provider = await start(allowed_modules=["json"])
    (root / "fine.py").write_text("import json\nprint(1)", encoding="utf-8")
    validate = provider.handle_request
    assert await validate("python/validate", {"script": "fine.py"}) == {"valid": True, "errors": []}
    answer = await validate("python/validate", {"code": "import json\nimport os"})
    assert not answer["valid"]
    assert answer["errors"][0]["line"] == 2
    nested = "(" * 5000 + ")" * 5000
    assert (await validate("python/validate", {"code": nested}))["valid"] is False
