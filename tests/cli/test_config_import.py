"""`gleitzeit config import` takes servers over from a host, and keeps what the configuration has."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml

from gleitzeit.cli.hosts import dialects
from gleitzeit.cli.hosts.dialects import translated
from gleitzeit.cli.hosts.entries import Skipped, is_gleitzeit, taken_over
from gleitzeit.cli.hosts.files import HostFile, HostServer, servers_in
from gleitzeit.cli.yaml_addition import UnextendableError, with_entries
from gleitzeit.core.environment import fill
from gleitzeit.core.errors import ConfigurationError

Command = Callable[..., Any]

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="looks for the file where Linux has it")
PLACE = ("mcp", "servers")
SERVER = {"name": "new", "command": "npx", "args": ["-y", "x"]}


def host_file(path: Path, servers: Mapping[str, Any], key: str = "mcpServers") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({key: servers}))
    return path


def servers_of(home: Path) -> dict[str, dict[str, Any]]:
    """What is configured now, by the names of the servers."""
    document = yaml.safe_load((home / ".gleitzeit" / "config.yaml").read_text())
    return {server["name"]: server for server in document["mcp"]["servers"]}


@LINUX
def test_the_servers_of_claude_desktop_are_written_and_can_be_used(gleitzeit: Command, home: Path) -> None:
    host_file(
        home / ".config/Claude/claude_desktop_config.json",
        {
            "files": {"command": "npx", "args": ["-y", "server-filesystem", "/tmp"], "env": {"DEBUG": 1}},
            "gleitzeit": {"command": "/opt/gleitzeit-mcp", "args": []},
            "remote": {"type": "http", "url": "https://example.com/mcp", "headers": {"X-Team": "a"}},
        },
    )
    outcome = gleitzeit("config", "import", "claude-desktop")
    assert outcome.code == 0
    assert servers_of(home) == {
        "files": {
            "name": "files",
            "command": "npx",
            "args": ["-y", "server-filesystem", "/tmp"],
            "env": {"DEBUG": "1"},
        },
        "remote": {
            "name": "remote",
            "connection_type": "http",
            "url": "https://example.com/mcp",
            "headers": {"X-Team": "a"},
        },
    }
    assert "+    - name: files" in outcome.stdout
    assert "skipped gleitzeit: it is Gleitzeit itself" in outcome.stderr
    assert gleitzeit("config", "check").code == 0


def test_what_is_configured_already_is_kept_to_the_letter(gleitzeit: Command, play: Path, workplace: Path) -> None:
    before = (
        "# my servers\nmcp:\n  servers:\n    - name: time   # the clock\n      command: [uvx, mcp-server-time]\n"
        "    # more to come\n\nengine: {keep: null}  # for ever\n"
    )
    (play / "config.yaml").write_text(before)
    host_file(workplace / ".mcp.json", {"time": {"command": "other"}, "web": {"command": "web-server"}})
    outcome = gleitzeit("config", "import", "claude-code", "--json")
    assert outcome.code == 0
    facts = outcome.json
    after = (play / "config.yaml").read_text()
    assert after == before.replace(
        "    # more to come", "    - name: web\n      command: web-server\n    # more to come"
    )
    assert Path(facts["backup"]).read_text() == before
    assert facts["servers"] == ["web"]
    assert facts["skipped"] == [{"name": "time", "reason": "a server of that name is configured already"}]
    again = gleitzeit("config", "import", "claude-code")
    assert again.code == 0
    assert "nothing to take over" in again.stderr
    assert (play / "config.yaml").read_text() == after


def test_a_dry_run_shows_the_change_and_writes_nothing(gleitzeit: Command, play: Path, workplace: Path) -> None:
    before = (play / "config.yaml").read_text()
    host_file(workplace / "mine.json", {"web": {"command": "web-server"}})
    outcome = gleitzeit("config", "import", "mine.json", "--dry-run")
    assert outcome.code == 0
    assert "+    - name: web" in outcome.stdout
    assert (play / "config.yaml").read_text() == before
    assert len(list(play.glob("config.yaml*"))) == 1


def test_secrets_in_plain_text_are_taken_over_hidden_in_the_diff_and_warned_of(
    gleitzeit: Command, home: Path, workplace: Path
) -> None:
    host_file(
        workplace / "mine.json",
        {
            "hub": {
                "command": "hub-server",
                "args": ["--api-key", "hunter2", "--token=hunter2", "ghp_hunter2", "--verbose"],
                "env": {"GITHUB_TOKEN": "hunter2", "OTHER_TOKEN": "${OTHER_TOKEN}", "MODE": "fast"},
            },
            "far": {
                "url": "https://example.com/sse?key=hunter2",
                "headers": {"Authorization": "Bearer hunter2hunter2"},
            },
        },
    )
    outcome = gleitzeit("config", "import", "mine.json")
    assert outcome.code == 0
    assert "hunter2" not in outcome.stdout + outcome.stderr
    assert "hub: env.GITHUB_TOKEN is taken over in plain text; better write it as ${GITHUB_TOKEN}" in outcome.stderr
    assert "OTHER_TOKEN is taken over" not in outcome.stderr
    assert "far: headers.Authorization is taken over in plain text; better write it as Bearer ${FAR_TOKEN}," in (
        outcome.stderr
    )
    assert "hub: args[1] is taken over in plain text; better write it as ${API_KEY}," in outcome.stderr
    assert "hub: args[2] is taken over in plain text; better write it as --token=${TOKEN}," in outcome.stderr
    assert servers_of(home)["hub"]["env"] == {
        "GITHUB_TOKEN": "hunter2",
        "OTHER_TOKEN": "${OTHER_TOKEN}",
        "MODE": "fast",
    }
    assert servers_of(home)["far"]["connection_type"] == "sse"


def test_only_what_looks_like_a_secret_is_hidden_in_the_diff(gleitzeit: Command, workplace: Path) -> None:
    host_file(
        workplace / "mine.json",
        {
            "memory": {
                "command": "x",
                "env": {
                    "MEMORY_FILE_PATH": "/tmp/memory.json",
                    "DB": "postgres://me:hunter2@host/db",
                    "PAT": "hunter2",
                },
            },
            "web": {
                "url": "https://example.com/mcp?key=${KEY}",
                "headers": {"Authorization": "Bearer ${env:WEB_TOKEN}", "X-Api-Key": "hunter2", "X-Team": "red"},
            },
        },
    )
    outcome = gleitzeit("config", "import", "mine.json", "--dry-run")
    assert outcome.code == 0
    assert "hunter2" not in outcome.stdout + outcome.stderr
    for line in (
        "MEMORY_FILE_PATH: /tmp/memory.json",
        "DB: postgres://***@host/db",
        "url: https://example.com/mcp?key=${KEY}",
        "Authorization: Bearer ${WEB_TOKEN}",
        "X-Team: red",
    ):
        assert line in outcome.stdout
    assert "better write it as ${X_API_KEY}," in outcome.stderr
    assert "headers.Authorization" not in outcome.stderr


def test_an_entry_becomes_one_that_can_be_used_or_is_left_out(gleitzeit: Command, home: Path, workplace: Path) -> None:
    host_file(
        workplace / "mine.json",
        {
            "socket": {"url": "wss://example.com/ws"},
            "off": {"command": "x", "enabled": False},
            "placeless": {"url": "example.com/mcp"},
            "odd": {"type": "http", "url": "ws://example.com"},
            "both": {"command": sys.executable, "url": "http://example.com", "headers": {"X": "y"}},
        },
    )
    outcome = gleitzeit("config", "import", "mine.json")
    assert outcome.code == 0
    servers = servers_of(home)
    assert list(servers) == ["socket", "both"]
    assert servers["socket"]["connection_type"] == "websocket"
    assert servers["both"] == {"name": "both", "command": sys.executable}
    assert "skipped off: it is disabled there" in outcome.stderr
    assert "skipped placeless: its url begins with neither http:// nor https://" in outcome.stderr
    assert "both: headers are not taken over" in outcome.stderr
    assert gleitzeit("config", "check").code == 0


@LINUX
def test_vs_code_has_a_file_of_its_user_which_may_be_named_too(gleitzeit: Command, home: Path) -> None:
    path = host_file(home / ".config/Code/User/mcp.json", {"a": {"command": "x", "env": {"A": "${HOME}"}}}, "servers")
    for source in ("vscode", path):
        outcome = gleitzeit("config", "import", source, "--dry-run")
        assert outcome.code == 0
        assert "A: $${HOME}" in outcome.stdout


def test_claude_code_has_servers_of_the_project_of_the_folder_and_of_the_user(
    gleitzeit: Command, home: Path, workplace: Path
) -> None:
    host_file(workplace / ".mcp.json", {"shared": {"command": "from-project"}, "mine": {"command": "from-project"}})
    (home / ".claude.json").write_text(
        json.dumps(
            {
                "mcpServers": {"everywhere": {"command": "from-user"}, "shared": {"command": "from-user"}},
                "projects": {
                    str(workplace): {"mcpServers": {"mine": {"command": "from-local"}}},
                    "/elsewhere": {"mcpServers": {"foreign": {"command": "x"}}},
                },
            }
        )
    )
    assert gleitzeit("config", "import", "claude-code").code == 0
    commands = {name: server["command"] for name, server in servers_of(home).items()}
    assert commands == {"mine": "from-local", "shared": "from-project", "everywhere": "from-user"}


def test_cursor_writes_variables_in_its_own_way(gleitzeit: Command, home: Path) -> None:
    host_file(
        home / ".cursor/mcp.json",
        {
            "a": {
                "command": "x",
                "args": ["${userHome}/notes"],
                "env": {"KEY": "${env:MY_KEY}", "PLAIN": "${MY_KEY}"},
                "cwd": "${workspaceFolder}",
            }
        },
    )
    outcome = gleitzeit("config", "import", "cursor")
    assert outcome.code == 0
    server = servers_of(home)["a"]
    assert server["args"] == [f"{home}/notes"]
    assert server["env"] == {"KEY": "${MY_KEY}", "PLAIN": "$${MY_KEY}"}
    assert "env.PLAIN: ${MY_KEY} is kept as the text that it is: the host fills nothing in there" in outcome.stderr
    assert "cwd: ${workspaceFolder} is kept as the text that it is: the file belongs to no workspace" in outcome.stderr


def test_vs_code_asks_for_inputs_that_become_variables(gleitzeit: Command, home: Path, workplace: Path) -> None:
    path = workplace / ".vscode" / "mcp.json"
    path.parent.mkdir()
    path.write_text(
        '{\n  // "inputs" are asked for\n  "inputs": [{"id": "api-key", "type": "promptString"}],\n'
        '  "servers": {\n    "a": {"type": "stdio", "command": "x", "cwd": "${workspaceFolder}",\n'
        '      "envFile": ".env", "env": {"URL": "http://x/*y", "KEY": "${input:api-key}"},},\n  },\n}\n'
    )
    outcome = gleitzeit("config", "import", "vscode", "--json")
    assert outcome.code == 0
    assert servers_of(home)["a"] == {
        "name": "a",
        "command": "x",
        "env": {"URL": "http://x/*y", "KEY": "${API_KEY}"},
        "working_dir": str(workplace),
    }
    assert any("set the environment variable API_KEY" in warning for warning in outcome.json["warnings"])
    assert "a: envFile is not taken over" in outcome.json["warnings"]


def test_what_can_not_be_taken_over_is_skipped_with_the_reason(gleitzeit: Command, home: Path, workplace: Path) -> None:
    host_file(
        workplace / "mine.json",
        {
            "off": {"command": "x", "disabled": True},
            "odd": {"type": "carrier-pigeon", "url": "x"},
            "empty": {},
            "text": "x",
            "n" * 65: {"command": "x"},
            "args": {"command": "x", "args": "y"},
            "module": {"command": "python", "args": ["-m", "gleitzeit", "mcp"]},
            "good": {"command": "x"},
        },
    )
    outcome = gleitzeit("config", "import", "mine.json", "--json")
    assert outcome.code == 0
    assert list(servers_of(home)) == ["good"]
    assert len(outcome.json["skipped"]) == 7


def test_a_source_that_is_not_there_or_has_no_servers_is_told(gleitzeit: Command, home: Path, workplace: Path) -> None:
    near = gleitzeit("config", "import", "claude-dekstop")
    assert near.code == 3
    assert 'did you mean "claude-desktop"?' in near.stderr
    assert gleitzeit("config", "import", "cursor").code == 3
    (workplace / "empty.json").write_text("{}")
    assert gleitzeit("config", "import", "empty.json").code == 4
    (workplace / "broken.json").write_text('{\n  "mcpServers": }')
    broken = gleitzeit("config", "import", "broken.json")
    assert broken.code == 4
    assert "line 2, column 17" in broken.stderr
    assert list(home.iterdir()) == []


def test_a_configuration_that_lines_can_not_extend_is_left_alone_and_told_what_to_paste(
    gleitzeit: Command, play: Path, workplace: Path
) -> None:
    before = "mcp: {servers: [{name: time, command: x}]}\n"
    (play / "config.yaml").write_text(before)
    host_file(workplace / "mine.json", {"web": {"command": "web-server", "env": {"API_KEY": "hunter2"}}})
    outcome = gleitzeit("config", "import", "mine.json")
    assert outcome.code == 4
    assert "was left as it is" in outcome.stderr
    assert "- name: web" in outcome.stderr
    assert "hunter2" not in outcome.stderr
    assert (play / "config.yaml").read_text() == before


def test_a_result_that_could_not_be_used_is_not_written(gleitzeit: Command, play: Path, workplace: Path) -> None:
    before = "mcp:\n  servers:\n    - {name: one, command: x, tool_prefix: web.}\n"
    (play / "config.yaml").write_text(before)
    host_file(workplace / "mine.json", {"web": {"command": "x"}})
    outcome = gleitzeit("config", "import", "mine.json")
    assert outcome.code == 4
    assert "was left as it is" in outcome.stderr
    assert (play / "config.yaml").read_text() == before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# only a comment",
        "engine: {keep: null}",
        "engine:\n  keep: null\n# the end\n",
        "mcp:\n",
        "mcp:  # mine\nengine: {keep: null}\n",
        "mcp: {}  # none yet\nengine: {keep: null}\n",
        "mcp: null\n",
        "mcp:\n    roots: [/tmp]\n\n# of the engine\nengine: {keep: null}\n",
        "mcp:\n  servers:\n  roots: []\n",
        "mcp:\n  servers: []  # none yet\n  roots: []\n",
        "mcp:\n  servers:\n  - name: a\n    command: x\n  roots: []\n",
        "mcp:\n  servers:\n      - name: a\n        command: |\n          x\n          y\n\n\nengine: {keep: null}\n",
        "mcp:\n  servers:\n    - name: a\n      command:\n        - x\n        -\n",
        "mcp:\n  servers:\n    - {name: a, command: x}  # in one line\n  # below\n",
        "mcp:\r\n  servers:\r\n    - name: a\r\n      command: x\r\nengine: {keep: null}\r\n",
        "\ufeffmcp:\n  servers:\n    - name: a\n      command: x",
        "  mcp:\n    servers:\n      - name: a\n        command: x\n  engine: {keep: null}\n",
        "mcp:\n  mcpServers: {a: {command: x}}\n",
        "mcp:\n  servers:\n    - &a\n      name: a\n      command: x\n    - {<<: *a, name: b}\n",
    ],
)
def test_servers_are_added_between_the_lines_that_are_there(text: str) -> None:
    extended = with_entries(text, PLACE, [SERVER])
    document: dict[str, Any] = yaml.safe_load(text.removeprefix("\ufeff")) or {}
    section: dict[str, Any] = document.get("mcp") or {}
    expected: dict[str, Any] = {**document, "mcp": {**section, "servers": [*(section.get("servers") or []), SERVER]}}
    assert yaml.safe_load(extended.removeprefix("\ufeff")) == expected
    kept = [line for line in text.splitlines() if not line.startswith(("mcp: ", "  servers: "))]
    left = iter(extended.splitlines())
    assert all(line in left for line in kept)
    assert all(comment in extended for comment in ("# none yet", "# mine", "# the end") if comment in text)
    assert with_entries(extended, PLACE, [{**SERVER, "name": "later"}]).count("command: npx") == 2


@pytest.mark.parametrize(
    "text",
    [
        "{mcp: {servers: []}}\n",
        "mcp: {roots: []}\n",
        "mcp:\n  servers: [{name: a}]\n",
        "mcp: just a text\n",
        "a: 1\n--- \nb: 2\n",
        "a: [\n",
        "providers: &p\n  servers:\n    - {name: a}\nmcp: *p\n",
        "engine: {keep: null}\n...\n",
        "- a list\n",
    ],
)
def test_what_lines_can_not_extend_is_refused(text: str) -> None:
    with pytest.raises(UnextendableError):
        with_entries(text, PLACE, [SERVER])


@pytest.mark.parametrize(
    "text", ["pa$word", "a$$b", "${X}", "$${X}", "$$${X}", "${", "Authorization:${KEY}", "$", "$$$"]
)
def test_a_text_of_a_host_that_fills_nothing_in_stays_what_it_is(text: str) -> None:
    assert fill(translated(text, dialects.LITERAL, None).text, {"X": "wrong", "KEY": "wrong"}, "here") == text


@pytest.mark.parametrize(
    ("dialect", "text", "filled"),
    [
        (dialects.CLAUDE_CODE, "${X}/${Y:-spare}$$", "x/spare$$"),
        (dialects.CLAUDE_CODE, "${env:X}", "${env:X}"),
        (dialects.CURSOR, "$${env:X}$", "$x$"),
        (dialects.CURSOR, "${workspaceFolder}${/}a", f"/work{os.sep}a"),
        (dialects.VS_CODE, "${input:my-key}", "k"),
        (dialects.ANY, "${X} ${env:X} ${1}", "x x ${1}"),
    ],
)
def test_variables_mean_what_they_meant_to_the_host(dialect: dialects.Dialect, text: str, filled: str) -> None:
    environment = {"X": "x", "MY_KEY": "k"}
    assert fill(translated(text, dialect, Path("/work")).text, environment, "here") == filled


@pytest.mark.parametrize(
    "written",
    [
        '"a": 1,' + "/**/" * 50_000 + '"b": 2}',
        '"a": 1,' + "/* , */ // ,\n" * 20_000 + "}",
        '"a": 1}' + "/*" * 100_000,
        '"a": "' + '\\"' * 100_000,
        '"a": 1' + ", " * 100_000,
        '"a": 1,' + " " * 200_000 + "1",
        '"a": ' + "[" * 100_000,
        '"mcpServers": {"a": ' + "9" * 5_000 + "}}",
    ],
    ids=["comments", "commas", "open comments", "open text", "many commas", "spaces", "brackets", "digits"],
)
def test_no_file_takes_long_to_read(written: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text("{" + written)
    began = time.monotonic()
    with suppress(ConfigurationError):  # whatever it holds, nothing else is raised
        servers_in(HostFile("mine", path))
    assert time.monotonic() - began < 2


def test_no_text_takes_long_to_translate() -> None:
    began = time.monotonic()
    assert translated("${" * 200_000, dialects.ANY, None).text == "$${" * 200_000
    assert time.monotonic() - began < 2


def test_comments_and_spare_commas_are_left_out_and_texts_kept(tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(
        '{/* , } */ "mcpServers": {"a": ["//x", "/*,]", "\\",]", 1, // 2]\n /* 3 */ ],\n'
        '"b": {"c": 1,/**/},// }\n "/": [",]", 2 /* , */ , \n]},}'
    )
    servers = {server.name: server.entry for server in servers_in(HostFile("mine", path))}
    assert servers == {"a": ["//x", "/*,]", '",]', 1], "b": {"c": 1}, "/": [",]", 2]}


@pytest.mark.parametrize(
    "entry",
    [
        {"url": "http://["},
        {"type": "http", "url": "http://["},
        {"command": "x", "type": ["a"]},
        {"command": "x", "type": {"a": 1}},
        {"command": ["x"]},
        {"command": "\ud800"},
        {"command": "x\0"},
        {"command": "x", "env": {"\ud800": "y"}},
        {"command": "x", "args": [["gleitzeit"], "mcp"]},
    ],
)
def test_an_entry_that_makes_no_sense_is_skipped_with_the_reason(entry: Any) -> None:
    (result,) = taken_over([HostServer("odd", entry, HostFile("mine", Path("mine.json")))], frozenset())
    assert isinstance(result, Skipped)
    assert result.reason.startswith("its ")


@pytest.mark.parametrize(
    ("entry", "ours"),
    [
        ({"command": "/opt/bin/gleitzeit-mcp"}, True),
        ({"command": "C:\\bin\\gleitzeit.exe", "args": ["mcp"]}, True),
        ({"command": "uvx", "args": ["--from", "/src", "gleitzeit-mcp"]}, True),
        ({"command": "uvx", "args": ["gleitzeit", "mcp"]}, True),
        ({"command": "python", "args": ["-m", "gleitzeit", "mcp"]}, True),
        ({"command": "npx", "args": ["search", "gleitzeit"]}, False),
        ({"url": "https://example.com/mcp"}, False),
        ("text", False),
    ],
)
def test_gleitzeit_is_known_by_what_is_started(entry: Any, ours: bool) -> None:
    assert is_gleitzeit("some", entry) is ours
