"""`gleitzeit config check` says whether the configuration can be used."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from tests.cli.shelf import GOOD

Command = Callable[..., Any]


def test_without_a_file_the_defaults_are_shown_as_json_alone(gleitzeit: Command) -> None:
    outcome = gleitzeit("config", "check")
    assert outcome.code == 0
    assert set(yaml.safe_load(outcome.stdout)["configuration"]) == {"home", "files", "engine"}
    assert "defaults" in outcome.stderr
    assert gleitzeit("config", "check", "--json").json["configuration"]["server"]["port"] == 8000


def test_what_is_no_default_is_shown(gleitzeit: Command, play: Path) -> None:
    (play / "config.yaml").write_text("server: {port: 9000}\nlimits: {open_runs: 5}\n")
    shown = yaml.safe_load(gleitzeit("config", "check").stdout)["configuration"]
    assert (shown["server"], shown["limits"]) == ({"port": 9000}, {"open_runs": 5})


def test_what_the_settings_of_a_server_lack_is_told_without_starting_it(gleitzeit: Command, play: Path) -> None:
    servers = [
        {"name": "unset", "command": ["${NO_SUCH_COMMAND}", "x"]},
        {"name": "placeless", "url": "localhost:9/mcp"},
        {"name": "gone", "command": "no-such-server --stdio"},
        {"name": "well", "command": [sys.executable, "-c", "raise SystemExit(1)"]},
    ]
    (play / "config.yaml").write_text(yaml.safe_dump({"mcp": {"servers": servers}}))
    outcome = gleitzeit("config", "check", "--json")
    assert outcome.code == 4
    assert [finding["subject"] for finding in outcome.json["findings"]] == [
        "server unset",
        "server placeless",
        "server gone",
    ]
    assert "the environment variable NO_SUCH_COMMAND is not set" in outcome.stderr
    assert "begins with http:// or https://" in outcome.stderr
    assert "no-such-server is not on PATH" in outcome.stderr
    assert "ok: " not in outcome.stderr


def test_what_would_be_used_is_json_without_secrets(gleitzeit: Command, play: Path) -> None:
    (play / "config.yaml").write_text(
        "providers: {path: [.], modules: [play_provider]}\n"
        "mcp:\n  servers:\n"
        f"    - {{name: x, command: [{sys.executable}], env: {{TOKEN: hunter2}}}}\n"
        "    - {name: y, url: 'http://localhost/mcp', auth_token: hunter2}\n"
        "secrets: {KEY: {env: MY_KEY}}\n"
    )
    outcome = gleitzeit("config", "check", "--json", env={"MY_KEY": "hunter2"})
    assert outcome.code == 0
    assert "hunter2" not in outcome.stdout + outcome.stderr
    assert "play" in [provider["provider_id"] for provider in outcome.json["providers"]]


def test_a_database_that_can_not_be_used_is_told_and_left_alone(gleitzeit: Command, play: Path) -> None:
    (play / "letter.db").write_text("a letter, and not a database")
    for name, words in (("letter.db", "is not a database"), ("letter.db/runs.db", "is not a folder")):
        outcome = gleitzeit("config", "check", env={"GLEITZEIT_ENGINE__DATABASE": name})
        assert outcome.code == 4
        assert "engine.database (environment variable" in outcome.stderr
        assert words in outcome.stderr
    assert (play / "letter.db").read_text().startswith("a letter")
    assert gleitzeit("config", "check").code == 0
    assert not (play / "gleitzeit.db").exists()


def test_an_unknown_key_is_told_with_its_line_and_the_nearest(gleitzeit: Command, play: Path) -> None:
    (play / "config.yaml").write_text("server:\n  prot: 1\n")
    outcome = gleitzeit("config", "check", "--json")
    assert outcome.code == 4
    assert outcome.json["error"]["code"] == "configuration_invalid"
    assert "line 2" in outcome.stderr
    assert '"port"' in outcome.stderr


def test_two_servers_with_one_prefix_are_refused(gleitzeit: Command, play: Path) -> None:
    servers = [{"name": name, "command": ["x"], "tool_prefix": "fs."} for name in ("one", "two")]
    (play / "config.yaml").write_text(yaml.safe_dump({"mcp": {"servers": servers}}))
    outcome = gleitzeit("config", "check")
    assert outcome.code == 4
    assert '"fs."' in outcome.stderr
    assert "one" in outcome.stderr


def test_a_provider_says_what_is_wrong_with_its_settings_and_may_fail_at_it(gleitzeit: Command, play: Path) -> None:
    module = play / "play_provider.py"
    before = module.read_text()
    for body in (
        "return [Finding('play', 'error', 'out of paper', 'fill it in')]",
        "raise RuntimeError('out of paper')",
    ):
        module.write_text(
            f"{before}from gleitzeit.core.findings import Finding\n"
            f"async def examine_settings(self):\n    {body}\nPlay.examine_settings = examine_settings\n"
        )
        outcome = gleitzeit("config", "check")
        assert outcome.code == 4
        assert "out of paper" in outcome.stderr


def test_a_map_of_servers_in_place_of_a_list_is_shown_its_place(gleitzeit: Command, play: Path) -> None:
    (play / "config.yaml").write_text("mcp: {servers: {time: {command: x}}}\n")
    outcome = gleitzeit("config", "check")
    assert outcome.code == 4
    assert "mcp.mcpServers" in outcome.stderr


def test_a_provider_that_does_not_load_makes_it_unusable(gleitzeit: Command, play: Path) -> None:
    (play / "config.yaml").write_text("providers: {path: [.], modules: [play_porvider]}\n")
    outcome = gleitzeit("config", "check")
    assert outcome.code == 4
    assert "play_porvider" in outcome.stderr


def test_a_file_that_is_named_but_missing_is_not_found(gleitzeit: Command) -> None:
    for command in (["config", "check"], ["methods"], ["mcp"], ["serve"], ["validate", "x.yaml"]):
        outcome = gleitzeit(*command, "--config", "none.yaml")
        assert outcome.code == 3
        assert "none.yaml" in outcome.stderr


def test_connecting_tells_which_server_does_not_start_and_why(gleitzeit: Command, play: Path) -> None:
    broken = "import sys; sys.exit('no licence found')"
    servers = [
        GOOD,
        {"name": "bad", "command": [sys.executable, "-c", broken], "max_restarts": 0},
    ]
    (play / "config.yaml").write_text(yaml.safe_dump({"mcp": {"servers": servers}}))
    outcome = gleitzeit("config", "check", "--connect", "--json")
    assert outcome.code == 6
    states = {server["name"]: server["state"] for server in outcome.json["servers"]}
    assert states["good"] == "ready"
    assert states["bad"] != "ready"
    assert "no licence found" in outcome.stderr


def test_connecting_again_waits_although_the_tools_are_known(gleitzeit: Command, play: Path) -> None:
    (play / "config.yaml").write_text(yaml.safe_dump({"mcp": {"servers": [GOOD]}}))
    for _ in range(2):
        outcome = gleitzeit("config", "check", "--connect", "--json")
        assert outcome.code == 0, outcome.stderr
        assert [server["state"] for server in outcome.json["servers"]] == ["ready"]
