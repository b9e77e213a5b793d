"""Runs the examples as a user would, with servers that are installed beside the tests."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.fork_server import Launch
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
def servers(tmp_path: Path, speaker: str) -> Callable[..., Path]:
    """Writes the configuration of the examples with the servers of these names, all by default.

    The servers' own modules stand in place of `uvx`.
    """

    def write(*names: str) -> Path:
        configuration = yaml.safe_load((EXAMPLES / "config.yaml").read_text())
        modules = {"time": "mcp_server_time", "git": "mcp_server_git", "library": "gleitzeit.cli.demo.library"}
        known = {server["name"]: server for server in configuration["mcp"]["servers"]}
        assert set(known) == set(modules)
        wanted = [known[name] for name in names or modules]
        for server in wanted:
            server["command"] = [sys.executable, "-m", modules[server["name"]]]
        configuration["mcp"]["servers"] = wanted
        configuration["providers"]["ollama"]["endpoints"] = [speaker]
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(configuration))
        return path

    return write


@pytest.fixture
def run(environment: dict[str, str], tmp_path: Path, launch: Launch) -> Callable[..., Any]:
    """Runs an example and returns the whole run."""

    def call(path: str, *arguments: str | Path, code: int = 0) -> Any:
        words = ["run", str(EXAMPLES / path), "--json", *map(str, arguments)]
        ended = launch(words, cwd=tmp_path, env=environment)
        assert ended.code == code, ended.stderr.decode()
        return json.loads(ended.stdout)

    return call


@pytest.fixture
def speaker() -> Iterator[str]:
    """The address of a small Ollama on this machine, whose models repeat what they are told."""
    with fake_node("--model", "llama3.2", "--model", "nomic-embed-text") as node:
        yield node.url
