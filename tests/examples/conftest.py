"""Runs the examples as a user would, with servers that are installed beside the tests."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

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
    configuration["providers"]["ollama"]["endpoint"] = speaker
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


class _Speaker(BaseHTTPRequestHandler):
    """Answers a chat with what it was told last, in two pieces, the way Ollama streams."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = request["messages"][-1]["content"]
        self.send_response(200)
        self.send_header("content-type", "application/x-ndjson")
        self.end_headers()
        for piece, done in ((f"Said of {said[:5]}", False), ("", True)):
            answer = {"model": request["model"], "message": {"role": "assistant", "content": piece}, "done": done}
            last = {"done_reason": "stop", "eval_count": 1, "prompt_eval_count": 1} if done else {}
            self.wfile.write(json.dumps({**answer, **last}).encode() + b"\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name is the base class's
        """Tests say what they have to say themselves."""


@pytest.fixture
def speaker() -> Iterator[str]:
    """The address of a model server on this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Speaker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()
