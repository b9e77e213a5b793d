"""`gleitzeit serve` serves MCP over HTTP on this machine alone."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from mcp import Client

Command = Callable[..., Any]

pytestmark = pytest.mark.usefixtures("play")


@pytest.fixture
def serving(environment: dict[str, str], workplace: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server on a free port, and its address."""
    command = [sys.executable, "-m", "gleitzeit", "serve", "--port", "0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=workplace) as process:
        assert process.stdout is not None
        text = ""
        while not text.endswith("}\n"):
            line = process.stdout.readline()
            assert line, "the server ended before it served"
            text += line
        try:
            yield process, json.loads(text)["streamable_http"]
        finally:
            process.kill()


@pytest.mark.anyio
async def test_a_host_is_served_on_a_free_port_until_an_interrupt(
    serving: tuple[subprocess.Popen[str], str],
) -> None:
    process, address = serving
    with anyio.fail_after(20):
        async with Client(address) as client:
            tools = await client.list_tools()
        process.send_signal(signal.SIGINT)
        assert await anyio.to_thread.run_sync(process.wait) == 0
    assert "submit_workflow" in [tool.name for tool in tools.tools]


def test_its_address_is_the_one_line_on_standard_output(environment: dict[str, str], workplace: Path) -> None:
    command = [sys.executable, "-m", "gleitzeit", "serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, cwd=workplace) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.terminate()
        rest = process.stdout.read()
    assert re.fullmatch(r"http://127\.0\.0\.1:\d+/mcp\n", line)
    assert rest == ""


def test_an_address_that_others_reach_is_refused(gleitzeit: Command) -> None:
    outcome = gleitzeit("serve", "--host", "0.0.0.0", "--json")
    assert outcome.code == 4
    assert "0.0.0.0" in outcome.stderr
    assert outcome.json["error"]["code"] == "configuration_invalid"


def test_a_port_that_is_none_is_a_usage_error(gleitzeit: Command) -> None:
    assert gleitzeit("serve", "--port", "70000").code == 2
