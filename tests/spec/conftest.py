"""The table of blocks, and what it takes to carry them out as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.fork_server import Launch

HERE = Path(__file__).parent
TABLE: dict[str, Any] = yaml.safe_load((HERE / "blocks.yaml").read_text(encoding="utf-8"))

RunProgram = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True, slots=True)
class Entry:
    """What the table says of one block."""

    block: int
    first_line: str
    use: str
    tests: tuple[str, ...]
    prelude: str | None = None
    postlude: str = ""
    indent: int = 0
    reason: str | None = None
    missing: str | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def complete(self, text: str) -> str:
        """The block between what the table puts before and behind it."""
        return (self.prelude or "") + textwrap.indent(text, " " * self.indent) + self.postlude


def entries() -> list[Entry]:
    names = {"block", "first_line", "use", "prelude", "postlude", "indent", "reason", "missing"}
    return [
        Entry(
            **{key: value for key, value in row.items() if key in names},
            tests=tuple(row["tests"]),
            unknown={key: value for key, value in row.items() if key not in names | {"tests"}},
        )
        for row in TABLE["blocks"]
    ]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """A test that takes an `entry` runs for each block whose row names it; strict xfail where something is missing."""
    if "entry" not in metafunc.fixturenames:
        return
    name = f"{Path(str(metafunc.definition.path)).name}::{metafunc.function.__name__}"
    rows = [entry for entry in entries() if name in entry.tests]
    metafunc.parametrize(
        "entry",
        [
            pytest.param(
                row,
                id=f"block_{row.block}",
                marks=[pytest.mark.xfail(raises=AssertionError, strict=True, reason=f"missing: {row.missing}")]
                if row.missing
                else [],
            )
            for row in rows
        ],
    )


@pytest.fixture
def table() -> list[Entry]:
    """The rows of the table."""
    return entries()


@pytest.fixture
def digest() -> str:
    """What the document is to hash to."""
    return str(TABLE["sha256"])


@pytest.fixture
def run_program(tmp_path: Path) -> RunProgram:
    """Runs Python in the test's folder, with a home of its own there, and fails where it complains."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        outcome = subprocess.run(
            [sys.executable, *arguments],
            cwd=tmp_path,
            env=environment(tmp_path / "home"),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=45,
            check=False,
        )
        assert outcome.returncode == 0, f"exit {outcome.returncode}\n{outcome.stdout}\n{outcome.stderr}"
        return outcome

    return run


@pytest.fixture
def run_workflow(tmp_path: Path, launch: Launch) -> Callable[[str], dict[str, Any]]:
    """Has the command run a workflow of the test's folder, and returns the run; fails where it complains."""

    def run(file: str) -> dict[str, Any]:
        ended = launch(["run", file, "--json"], cwd=tmp_path, env=environment(tmp_path / "home"))
        assert ended.code == 0, f"exit {ended.code}\n{ended.stdout.decode()}\n{ended.stderr.decode()}"
        answer: dict[str, Any] = json.loads(ended.stdout)
        return answer

    return run


def environment(home: Path) -> dict[str, str]:
    """What a program sees of the environment."""
    home.mkdir(exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GLEITZEIT_", "PYTEST_"))}
    return {**kept, "HOME": str(home), "GLEITZEIT_HOME": str(home / ".gleitzeit")}


@pytest.fixture
def custom_protocol(tmp_path: Path, document_blocks: Mapping[int, str]) -> Path:
    """A folder with the three modules of the custom protocol, and its workflow, as they stand in the document."""
    for block, name in {
        16: "my_protocol.py",
        17: "my_provider.py",
        18: "register_my_protocol.py",
        19: "custom_workflow.yaml",
    }.items():
        (tmp_path / name).write_text(document_blocks[block], encoding="utf-8")
    return tmp_path
