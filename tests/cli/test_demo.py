"""`gleitzeit demo` shows the main job, from the host's side."""

from __future__ import annotations

import subprocess
import sysconfig
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]


def test_the_demo_shows_the_plan_the_progress_and_a_completed_run_and_leaves_nothing_behind(
    gleitzeit: Command, home: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    outcome = gleitzeit("demo", env={"TMPDIR": str(scratch)})
    assert outcome.code == 0
    assert "connected to gleitzeit" in outcome.stdout
    assert "mcp/tool.library.search" in outcome.stdout
    assert ": completed in " in outcome.stdout
    assert "1. Why the harbour breathes: 60 words" in outcome.stdout
    assert "measure" in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert list(home.iterdir()) == []
    assert list(scratch.iterdir()) == []
    assert tempfile.gettempdir() != str(scratch)


def test_the_demo_is_json_too(gleitzeit: Command) -> None:
    scene = gleitzeit("demo", "--topic", "light", "--json").json
    assert scene["run"]["status"] == "completed"
    assert scene["run"]["outputs"]["books"] == 1
    assert [task["task_id"] for wave in scene["plan"]["waves"] for task in wave] == ["find", "read", "measure", "rank"]
    assert scene["run"]["seconds"] < 15


def test_what_lies_in_the_folder_does_not_get_in_the_way(environment: dict[str, str], workplace: Path) -> None:
    script = Path(sysconfig.get_path("scripts")) / "gleitzeit"
    if not script.exists():
        pytest.skip("gleitzeit is not installed as a command")
    for name in ("mcp.py", "gleitzeit.py", "yaml.py"):
        (workplace / name).write_text("raise SystemExit('wrong module')")
    completed = subprocess.run(
        [script, "demo"], capture_output=True, text=True, env=environment, cwd=workplace, check=False
    )
    assert completed.returncode == 0, completed.stderr
