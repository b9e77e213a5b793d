"""Importing the public names costs no more than it has to."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

HEAVY = (
    *("anyio", "cel", "docker", "httpx2", "jsonschema", "mcp", "mcp_types", "rich", "typer", "uvicorn", "websockets"),
    *("starlette", "yaml", "gleitzeit.application", "gleitzeit.engine"),
    *("gleitzeit_mcp", "gleitzeit_ollama", "gleitzeit_python"),
)


@pytest.mark.parametrize(
    "program",
    [
        "from gleitzeit import Workflow, Task, GleitzeitClient",
        "from gleitzeit import *",
        "import gleitzeit; gleitzeit.Workflow; dir(gleitzeit)",
    ],
)
def test_nothing_heavy_is_imported(program: str) -> None:
    code = f"import sys, json\n{program}\nprint(json.dumps(sorted(sys.modules)))"
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, timeout=30).stdout
    assert [name for name in json.loads(output) if name in HEAVY] == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    import gleitzeit

    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        gleitzeit.Nothing  # noqa: B018  # pyright: ignore[reportAttributeAccessIssue, reportUnusedExpression]
    assert set(gleitzeit.__all__) <= set(dir(gleitzeit))
