"""`gleitzeit servers` shows how the downstream servers stand, and why those that are down are."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cli.shelf import GOOD

Command = Callable[..., Any]

BAD = {
    "name": "bad",
    "command": [sys.executable, "-c", "import sys; sys.exit('fatal: no licence found')"],
    "restart_on_failure": False,
}


@pytest.fixture
def with_servers(play: Path) -> Callable[..., None]:
    """Writes a configuration with these servers."""

    def write(*servers: dict[str, Any]) -> None:
        (play / "config.yaml").write_text(yaml.safe_dump({"mcp": {"servers": list(servers)}}))

    return write


def test_each_server_has_an_aligned_line_and_a_broken_one_its_reason(
    gleitzeit: Command, with_servers: Callable[..., None]
) -> None:
    with_servers(GOOD, BAD)
    outcome = gleitzeit("servers")
    heading, good, bad, *rest = outcome.stdout.splitlines()
    assert heading.split() == ["NAME", "STATE", "TRANSPORT", "PROTOCOL", "TOOLS", "RESTARTS", "PROBLEM"]
    assert good[heading.index("STATE") :].startswith("ready ")
    assert good[heading.index("TOOLS") :].startswith("2 ")
    assert bad[heading.index("STATE") :].startswith("failed ")
    assert bad[heading.index("PROBLEM") :] == "fatal: no licence found"
    assert rest[1] == "bad is failed:"
    assert any("fatal: no licence found" in line for line in rest)
    assert "gleitzeit doctor" in outcome.stderr
    assert outcome.code == 6


def test_servers_that_are_all_up_end_well(gleitzeit: Command, with_servers: Callable[..., None]) -> None:
    with_servers(GOOD)
    outcome = gleitzeit("servers", "--json")
    assert outcome.code == 0
    assert outcome.json["count"] == 1
    assert outcome.json["servers"][0]["state"] == "ready"


def test_one_server_is_shown_with_its_tools(gleitzeit: Command, with_servers: Callable[..., None]) -> None:
    with_servers(GOOD, BAD)
    outcome = gleitzeit("servers", "good")
    assert outcome.code == 0
    assert "  state: ready\n" in outcome.stdout
    assert "mcp/tool.good.search  List the books" in outcome.stdout
    told = gleitzeit("servers", "good", "--json").json
    assert told["server"]["name"] == "good"
    assert [tool["name"] for tool in told["tools"]] == ["search", "read"]
    assert gleitzeit("servers", "bad").code == 6


def test_hidden_tools_and_patterns_that_fit_none_are_shown(
    gleitzeit: Command, with_servers: Callable[..., None]
) -> None:
    with_servers({**GOOD, "enabled_tools": ["search", "raed"]})
    outcome = gleitzeit("servers", "good")
    assert "  hidden by enabled_tools or disabled_tools: read\n" in outcome.stdout
    assert "  fits none of its tools: enabled_tools: raed\n" in outcome.stdout


def test_an_unknown_name_is_answered_with_the_nearest(gleitzeit: Command, with_servers: Callable[..., None]) -> None:
    with_servers(GOOD)
    outcome = gleitzeit("servers", "goood")
    assert outcome.code == 3
    assert 'did you mean "good"?' in outcome.stderr


def test_a_server_that_takes_long_is_waited_for_only_so_long(
    gleitzeit: Command, with_servers: Callable[..., None]
) -> None:
    with_servers({"name": "slow", "command": [sys.executable, "-c", "import time; time.sleep(600)"]})
    outcome = gleitzeit("servers", "--wait", "0.2", "--json")
    assert outcome.code == 0
    assert outcome.json["servers"][0]["state"] == "starting"


def test_without_servers_the_way_to_some_is_told(gleitzeit: Command) -> None:
    outcome = gleitzeit("servers")
    assert (outcome.code, outcome.stdout) == (0, "")
    assert "gleitzeit config import" in outcome.stderr
