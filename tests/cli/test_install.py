"""`gleitzeit install` enters the running installation in a host."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gleitzeit.cli.hosts.host import Host, Scope, config_file
from gleitzeit.cli.launcher import server_entry

Command = Callable[..., Any]

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks for the file where Linux has it")


def desktop(home: Path) -> Path:
    return home / ".config" / "Claude" / "claude_desktop_config.json"


def test_print_prints_an_entry_with_absolute_paths_and_writes_nothing(gleitzeit: Command, home: Path) -> None:
    outcome = gleitzeit("install", "claude-desktop", "--print")
    assert outcome.code == 0
    entry = outcome.json["mcpServers"]["gleitzeit"]
    assert Path(entry["command"]).is_file()
    assert Path(entry["command"]).is_absolute()
    assert entry["env"] == {"GLEITZEIT_HOME": str(home / ".gleitzeit")}
    assert list(home.iterdir()) == []


@LINUX
def test_the_entry_is_written_shown_and_not_written_twice(gleitzeit: Command, home: Path) -> None:
    first = gleitzeit("install", "claude-desktop")
    assert first.code == 0
    assert '+    "gleitzeit": {' in first.stdout
    assert "restart Claude Desktop" in first.stderr
    written = desktop(home).read_bytes()
    second = gleitzeit("install", "claude-desktop")
    assert (second.code, second.stdout) == (0, "")
    assert "nothing to do" in second.stderr
    assert desktop(home).read_bytes() == written
    assert len(list(desktop(home).parent.iterdir())) == 1


@LINUX
def test_a_broken_file_is_named_and_left_alone(gleitzeit: Command, home: Path) -> None:
    desktop(home).parent.mkdir(parents=True)
    desktop(home).write_text('{\n  "mcpServers": {\n  // mine\n}}')
    outcome = gleitzeit("install", "claude-desktop", "--json")
    assert outcome.code == 4
    assert "line 3, column 3" in outcome.json["error"]["message"]
    assert str(desktop(home)) in outcome.stderr
    assert desktop(home).read_text() == '{\n  "mcpServers": {\n  // mine\n}}'


@LINUX
def test_the_facts_of_a_change_are_json(gleitzeit: Command, home: Path) -> None:
    desktop(home).parent.mkdir(parents=True)
    desktop(home).write_text("{}")
    facts = gleitzeit("install", "claude-desktop", "--json").json
    assert facts["changed"] is True
    assert Path(facts["backup"]).read_text() == "{}"
    assert facts["path"] == str(desktop(home))
    assert gleitzeit("install", "claude-desktop", "--json").json["changed"] is False


def test_claude_code_is_told_in_the_project(gleitzeit: Command, workplace: Path, home: Path) -> None:
    assert gleitzeit("install", "claude-code").code == 0
    servers = json.loads((workplace / ".mcp.json").read_text())["mcpServers"]
    assert servers["gleitzeit"]["type"] == "stdio"
    assert list(home.iterdir()) == []


def test_claude_code_is_told_for_the_user(gleitzeit: Command, workplace: Path, home: Path) -> None:
    (home / ".claude.json").write_text('{"numStartups": 3, "projects": {"/p": {"mcpServers": {}}}}')
    assert gleitzeit("install", "claude-code", "--scope", "user", "--name", "flows").code == 0
    written = json.loads((home / ".claude.json").read_text())
    assert list(written) == ["numStartups", "projects", "mcpServers"]
    assert list(written["mcpServers"]) == ["flows"]
    assert list(workplace.iterdir()) == []


@pytest.mark.parametrize(
    ("host", "section", "own"),
    [("cursor", "mcpServers", ".cursor/mcp.json"), ("vscode", "servers", ".vscode/mcp.json")],
)
def test_hosts_with_a_file_in_the_project_are_told_there_and_keep_the_rest(
    gleitzeit: Command, workplace: Path, host: str, section: str, own: str
) -> None:
    other = {"command": "other", "env": {"KEY": "hidden-value"}}
    (workplace / own).parent.mkdir()
    (workplace / own).write_text(json.dumps({section: {"other": other}, "more": 1}))
    outcome = gleitzeit("install", host)
    assert outcome.code == 0
    assert "hidden-value" not in outcome.stdout
    written = json.loads((workplace / own).read_text())
    assert written["more"] == 1
    assert written[section]["other"] == other
    assert written[section]["gleitzeit"].get("type") == ("stdio" if host == "vscode" else None)
    assert gleitzeit("install", host, "--print").json == {section: {"gleitzeit": written[section]["gleitzeit"]}}
    assert "nothing to do" in gleitzeit("install", host).stderr


@LINUX
@pytest.mark.parametrize(("host", "own"), [("cursor", ".cursor/mcp.json"), ("vscode", ".config/Code/User/mcp.json")])
def test_hosts_are_told_for_all_projects(gleitzeit: Command, workplace: Path, home: Path, host: str, own: str) -> None:
    assert gleitzeit("install", host, "--scope", "user").code == 0
    assert "gleitzeit" in (home / own).read_text()
    assert list(workplace.iterdir()) == []


def test_a_configuration_is_passed_on_by_its_absolute_path(gleitzeit: Command, workplace: Path) -> None:
    (workplace / "mine.yaml").write_text("{}")
    entry = gleitzeit("install", "claude-desktop", "--print", "--config", "mine.yaml").json["mcpServers"]["gleitzeit"]
    assert entry["args"][-2:] == ["--config", str(workplace / "mine.yaml")]
    assert gleitzeit("install", "claude-desktop", "--print", "--config", "none.yaml").code == 3


def test_an_unknown_host_is_a_usage_error_that_names_the_known_ones(gleitzeit: Command) -> None:
    outcome = gleitzeit("install", "claude-dekstop")
    assert outcome.code == 2
    assert "claude-desktop" in outcome.stderr
    assert outcome.stdout == ""


@pytest.mark.parametrize(
    ("platform", "place"),
    [
        ("darwin", "Library/Application Support/Claude/claude_desktop_config.json"),
        ("win32", "AppData/Roaming/Claude/claude_desktop_config.json"),
        ("linux", ".config/Claude/claude_desktop_config.json"),
    ],
)
def test_each_system_has_its_own_place(
    platform: str, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("APPDATA", str(tmp_path / "AppData" / "Roaming"))
    monkeypatch.setattr(sys, "platform", platform)
    found = config_file(Host.CLAUDE_DESKTOP, Scope.PROJECT)
    assert found == tmp_path / place


def test_an_environment_that_uv_will_throw_away_is_not_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    uvx = tmp_path / "bin" / "uvx"
    uvx.parent.mkdir()
    uvx.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(uvx.parent))
    monkeypatch.setattr(sys, "prefix", "/home/u/.cache/uv/archive-v0/abc")
    entry = server_entry(None, {})
    assert entry["command"] == str(uvx)
    assert entry["args"][0] == "--from"
    assert entry["args"][-1] == "gleitzeit-mcp"


def test_the_command_of_the_entry_starts(environment: dict[str, str]) -> None:
    entry = server_entry(None, {})
    completed = subprocess.run(
        [entry["command"], *entry["args"], "--version"], capture_output=True, text=True, env=environment, check=True
    )
    assert completed.stdout.startswith("gleitzeit ")


def test_the_example_for_claude_has_the_documented_form() -> None:
    example = Path(os.path.realpath(__file__)).parents[2] / "claude_config_example.json"
    assert json.loads(example.read_text()) == {
        "mcpServers": {
            "gleitzeit": {
                "command": "uvx",
                "args": ["--from", "/ABSOLUTE/PATH/TO/gleitzeit", "gleitzeit-mcp"],
                "env": {},
            }
        }
    }
