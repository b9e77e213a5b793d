"""Runs the examples as a user would, with servers that are installed beside the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.providers.ollama.fake.process import fake_node

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture
def examples() -> Path:
    """The folder of the examples."""
    return EXAMPLES


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A home of its own, in which `python` is the one that runs the tests."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("GLEITZEIT_", "PYTHON"))}
    programs = tmp_path / ".local" / "bin"  # where installers put what the examples start, and nobody runs it here
    programs.mkdir(parents=True)
    (programs / "uvx").write_text("#!/bin/sh\n", encoding="utf-8")
    (programs / "uvx").chmod(0o755)
    return {**kept, "HOME": str(tmp_path), "GLEITZEIT_HOME": str(tmp_path / "gleitzeit"), "PYTHON": sys.executable}


@pytest.fixture
def servers(tmp_path: Path, speaker: str) -> Path:
    """The configuration of the examples, with the servers' own modules in place of `uvx`."""
    configuration = yaml.safe_load((EXAMPLES / "config.yaml").read_text())
    modules = {"time": "mcp_server_time", "git": "mcp_server_git", "library": "gleitzeit.cli.demo.library"}
    for server in configuration["mcp"]["servers"]:
        server["command"] = [sys.executable, "-m", modules[server["name"]]]
    configuration["providers"]["ollama"]["endpoints"] = [speaker]
    path = tmp_path / "config.yaml"
    path.write_text(yaml.safe_dump(configuration))
    return path


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path) -> Callable[..., Any]:
    """Runs an example and returns the whole run."""

    def call(path: str, *arguments: str | Path, code: int = 0) -> Any:
        completed = subprocess.run(
            [sys.executable, "-m", "gleitzeit", "run", str(EXAMPLES / path), "--json", *map(str, arguments)],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
            timeout=50,
            check=False,
        )
        assert completed.returncode == code, completed.stderr
        return json.loads(completed.stdout)

    return call


@pytest.fixture
def speaker() -> Iterator[str]:
    """The address of a small Ollama on this machine, whose models repeat what they are told."""
    with fake_node("--model", "llama3.2", "--model", "nomic-embed-text") as node:
        yield node.url
