"""`gleitzeit mcp` speaks MCP with whoever started it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from mcp import Client, StdioServerParameters

Command = Callable[..., Any]

ECHO = 'tasks: [{id: a, method: play/echo, parameters: {x: 1}}]\noutputs: {x: "${a.x}"}'


@pytest.mark.anyio
async def test_a_host_runs_a_workflow_with_the_configuration_that_is_named(
    play: Path, environment: dict[str, str], tmp_path: Path
) -> None:
    moved = (play / "config.yaml").rename(play / "other.yaml")
    arguments = ["-P", "-m", "gleitzeit", "mcp", "--config", str(moved)]
    with anyio.fail_after(20):
        async with Client(StdioServerParameters(command=sys.executable, args=arguments, env=environment)) as client:
            answer = await client.call_tool("submit_workflow", {"workflow": ECHO})
    assert not answer.is_error
    assert answer.structured_content is not None
    assert answer.structured_content["outputs"] == {"x": 1}


@pytest.mark.parametrize("arguments", [["--nope"], ["extra"], ["--config"], ["--config="]])
def test_an_option_that_there_is_not_is_a_usage_error(arguments: list[str], gleitzeit: Command) -> None:
    outcome = gleitzeit("mcp", *arguments)
    assert outcome.code == 2
    assert outcome.stdout == ""
    assert "Usage: gleitzeit mcp" in outcome.stderr


def test_it_ends_when_the_host_hangs_up(gleitzeit: Command) -> None:
    outcome = gleitzeit("mcp")
    assert (outcome.code, outcome.stdout) == (0, "")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudo-terminals there")
def test_at_a_terminal_it_says_what_it_waits_for(environment: dict[str, str]) -> None:
    import os
    import pty

    control, terminal = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "gleitzeit", "mcp"],
        stdin=terminal,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stderr is not None
        assert "waits for an MCP host" in process.stderr.readline()
        process.terminate()
        process.wait(timeout=10)
    os.close(control)
    os.close(terminal)
