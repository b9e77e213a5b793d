"""What a configuration says, and which of its sources wins."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import ValidationError

from gleitzeit.config import Configuration, home_folder, load_configuration

Load = Callable[..., Configuration]

DOCUMENTED = """
providers:
  ollama:
    endpoint: http://localhost:11434
    timeout: 30
    models: {default: llama3.2, vision: llava}
mcp:
  servers:
    - name: "filesystem"
      connection_type: "stdio"
      command: ["npx", "-y", "@modelcontextprotocol/server-filesystem"]
      tool_prefix: "fs."
    - name: "github"
      command: ["npx"]
      env: {GITHUB_TOKEN: "${GITHUB_TOKEN}"}
"""


def test_nothing_configured_gives_the_defaults(load: Load, home: Path) -> None:
    config = load()
    assert config.home == home
    assert config.path is None
    assert config.files.roots == (home / "files",)
    assert config.server.host == "127.0.0.1"
    assert config.limits.result_tokens == 8000
    assert config.limits.result_bytes == 64 << 20
    assert config.limits.provider_parallel is None
    assert config.engine.file == home / "gleitzeit.db"
    assert config.engine.durability == "full"
    assert (config.engine.keep.days, config.engine.keep.runs) == (30, 10_000)
    assert config.providers == {}


@pytest.mark.parametrize(
    ("named", "file"), [("memory", None), ("runs.db", "elsewhere/runs.db"), ("/srv/runs.db", "/srv/runs.db")]
)
def test_the_database_is_a_file_beside_the_configuration_or_none_at_all(
    tmp_path: Path, named: str, file: str | None
) -> None:
    (tmp_path / "elsewhere").mkdir()
    chosen = tmp_path / "elsewhere" / "config.yaml"
    chosen.write_text(f"engine: {{database: {named}}}")
    config = load_configuration(chosen, {"GLEITZEIT_HOME": str(tmp_path / "home")})
    assert config.engine.file == (None if file is None else tmp_path / file)


def test_the_database_may_lie_in_the_home_folder_of_the_user(load: Load) -> None:
    assert load("engine: {database: ~/runs.db}").engine.file == Path.home() / "runs.db"


def test_what_is_kept_for_ever_is_written_as_null(load: Load) -> None:
    keep = load("engine: {keep: {days: null, runs: 5}}").engine.keep
    assert (keep.days, keep.runs) == (None, 5)
    keep = load("engine: {keep: null}").engine.keep
    assert (keep.days, keep.runs) == (None, None)


def test_the_documented_file_is_read(load: Load, home: Path) -> None:
    config = load(DOCUMENTED)
    assert config.path == home / "config.yaml"
    assert config.providers["ollama"]["endpoint"] == "http://localhost:11434"
    assert [server["name"] for server in config.mcp.servers] == ["filesystem", "github"]


def test_variables_of_downstream_servers_are_left_to_their_provider(load: Load) -> None:
    config = load(DOCUMENTED)
    assert config.mcp.servers[1]["env"] == {"GITHUB_TOKEN": "${GITHUB_TOKEN}"}


def test_the_map_of_hosts_is_read(load: Load) -> None:
    config = load("mcpServers: {time: {command: uvx, args: [mcp-server-time]}}")
    assert config.mcp.mcpServers == {"time": {"command": "uvx", "args": ["mcp-server-time"]}}
    both = load("mcp: {mcpServers: {a: {command: a}}}\nmcpServers: {b: {command: b}}")
    assert list(both.mcp.mcpServers) == ["a", "b"]


def test_the_environment_wins_over_the_file_and_a_flag_over_both(load: Load) -> None:
    text = "server: {port: 1, host: localhost}\nproviders: {ollama: {timeout: 1, endpoint: http://file}}"
    environ = {"GLEITZEIT_SERVER__PORT": "2", "GLEITZEIT_PROVIDERS__OLLAMA__ENDPOINT": "http://environment:1"}
    config = load(text, environ)
    assert (config.server.port, config.server.host) == (2, "localhost")
    assert config.providers["ollama"] == {"timeout": 1, "endpoint": "http://environment:1"}
    assert load(text, environ, **{"server.port": 3}).server.port == 3


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("12", 12),
        ("true", True),
        ("a: b", "a: b"),
        ('{"default": "x"}', {"default": "x"}),
        ("[1, 2]", [1, 2]),
        ("", ""),
        ("{broken", "{broken"),
        ("*.txt", "*.txt"),
    ],
)
def test_variables_are_scalars_or_json(load: Load, text: str, value: object) -> None:
    assert load("", {"GLEITZEIT_PROVIDERS__OLLAMA__MODELS": text}).providers["ollama"]["models"] == value


def test_a_whole_section_may_come_from_a_variable(load: Load) -> None:
    environ = {"GLEITZEIT_MCP__SERVERS": '[{"name": "time", "command": ["uvx"]}]', "GLEITZEIT_SERVER": '{"port": 7}'}
    config = load("", environ)
    assert config.mcp.servers == ({"name": "time", "command": ["uvx"]},)
    assert config.server.port == 7


def test_references_are_filled_from_the_environment(load: Load) -> None:
    text = """
providers:
  ollama: {endpoint: "http://${HOST}:${PORT:-11434}", timeout: "${EMPTY:-5}", note: "100$$ a$b $${X}"}
"""
    config = load(text, {"HOST": "box", "EMPTY": ""})
    assert config.providers["ollama"] == {"endpoint": "http://box:11434", "timeout": "5", "note": "100$ a$b ${X}"}


def test_another_file_can_be_named(tmp_path: Path, home: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("server: {port: 5}")
    environ = {"GLEITZEIT_HOME": str(home)}
    assert load_configuration(file, environ).server.port == 5
    assert load_configuration(None, {**environ, "GLEITZEIT_CONFIG": str(file)}).server.port == 5


def test_modules_and_their_folders_are_relative_to_the_file(load: Load, home: Path) -> None:
    config = load("providers: {modules: register_my_protocol, path: [plugs]}")
    assert config.modules == ("register_my_protocol",)
    assert config.module_path == (home / "plugs",)
    assert config.providers == {}


def test_home_is_in_the_users_folder_unless_it_is_named() -> None:
    assert home_folder({}) == Path.home() / ".gleitzeit"
    assert home_folder({"GLEITZEIT_HOME": "~/elsewhere"}) == Path.home() / "elsewhere"


def test_a_configuration_never_changes(load: Load) -> None:
    with pytest.raises(ValidationError):
        load().server = None  # type: ignore[assignment]  # pyright: ignore[reportAttributeAccessIssue]


def test_an_empty_file_and_empty_sections_are_fine(load: Load) -> None:
    assert load("# nothing yet\n").server.port == 8000
    assert load("server:\nproviders:\nmcp:\n").server.port == 8000
