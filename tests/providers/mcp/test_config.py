"""The section `mcp` of the configuration, and the variables in it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from gleitzeit.core.errors import ConfigurationError
from gleitzeit_mcp import MCPHubProvider
from gleitzeit_mcp.config import HubConfig, Server
from gleitzeit_mcp.environment import fill_server

DOCUMENTED: dict[str, Any] = {
    "servers": [
        {
            "name": "filesystem",
            "connection_type": "stdio",
            "command": ["npx", "-y", "@modelcontextprotocol/server-filesystem"],
            "tool_prefix": "fs.",
        },
        {
            "name": "github",
            "connection_type": "stdio",
            "command": ["npx", "-y", "@modelcontextprotocol/server-github"],
            "env": {"GITHUB_TOKEN": "${GITHUB_TOKEN}"},
        },
    ]
}


def servers_of(section: dict[str, Any]) -> tuple[Server, ...]:
    return MCPHubProvider("mcp", section).servers


def refusal(section: dict[str, Any]) -> str:
    with pytest.raises(ConfigurationError) as failure:
        MCPHubProvider("mcp", section)
    return str(failure.value)


def test_the_documented_section_is_read() -> None:
    filesystem, github = servers_of(DOCUMENTED)
    assert filesystem.command == ("npx", "-y", "@modelcontextprotocol/server-filesystem")
    assert github.env == {"GITHUB_TOKEN": "${GITHUB_TOKEN}"}
    assert "GITHUB_TOKEN" not in repr(github)


def test_the_map_of_a_host_is_read_as_more_servers() -> None:
    section = {
        "servers": [{"name": "a", "command": "a"}],
        "mcpServers": {
            "b": {"command": "npx", "args": ["-y", "b", 8080], "env": {"PORT": 1}, "autoApprove": ["x"]},
            "c": {"type": "streamable-http", "url": "http://127.0.0.1/mcp", "headers": {"X": "1"}},
            "d": {"url": "http://127.0.0.1/mcp"},
            "e": {"type": "sse", "url": "http://127.0.0.1/sse"},
            "off": {"command": "off", "disabled": True},
            "out": {"command": "out", "enabled": False},
            "f": {"command": "f", "cwd": "/tmp", "tool_prefix": "f_", "enabled": True},
        },
    }
    servers = {server.name: server for server in servers_of(section)}
    assert list(servers) == ["a", "b", "c", "d", "e", "f"]
    assert servers["b"].args == ("-y", "b", "8080")
    assert servers["b"].env == {"PORT": "1"}
    assert [servers[name].connection_type for name in "abcde"] == ["stdio", "stdio", "http", "http", "sse"]
    assert (servers["f"].working_dir, servers["f"].tool_prefix) == ("/tmp", "f_")


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        ([{"name": "a", "command": "a"}, {"name": "a", "command": "b"}], 'two servers are named "a"'),
        (
            [{"name": "a", "command": "a", "tool_prefix": "x."}, {"name": "b", "command": "b", "tool_prefix": "x."}],
            'servers "a" and "b" share the tool_prefix "x."',
        ),
        (
            [{"name": "a", "command": "a"}, {"name": "b", "command": "b", "tool_prefix": "a."}],
            'the tool_prefix "a." of server "b" is the name of server "a"',
        ),
        ([{"name": "a"}], 'server "a" has no command'),
        ([{"name": "a", "connection_type": "http"}], 'server "a" has no url'),
        ([{"name": "a", "connection_type": "stdio", "url": "http://x"}], "write that, or connection_type http"),
        ([{"name": "a", "command": "a", "url": "http://x"}], 'server "a" has a command and a url'),
        (
            [{"name": "a", "command": "a", "headers": {"X": "1"}, "auth_token": "t"}],
            "headers and auth_token need a url",
        ),
        ([{"name": "a", "command": "a", "comand": "b"}], "mcp.servers[0].comand"),
        ([{"name": "a", "command": "a", "mode": "2026"}], "mcp.servers[0].mode"),
    ],
)
def test_a_section_that_cannot_be_used_is_refused(servers: list[dict[str, Any]], words: str) -> None:
    assert words in refusal({"servers": servers})


def test_a_refusal_shows_no_values() -> None:
    assert "s3cret" not in refusal({"servers": [{"name": "a", "command": "a", "auth_token": ["s3cret"]}]})


def test_roots_of_the_section_are_those_of_servers_without_their_own() -> None:
    one = {"name": "a", "command": "a"}
    other: dict[str, Any] = {"name": "b", "command": "b", "roots": []}
    assert [server.roots for server in servers_of({"servers": [one, other], "roots": ["/data"]})] == [("/data",), ()]


@pytest.mark.parametrize(
    ("tool", "offered"), [("read_file", True), ("read_secret", False), ("fs.read_x", True), ("write_file", False)]
)
def test_tools_are_enabled_and_disabled_by_patterns(tool: str, offered: bool) -> None:
    server = Server(
        name="fs", command="x", tool_prefix="fs.", enabled_tools=("read_*", "fs.fs.*"), disabled_tools=("*secret",)
    )
    assert server.offers(tool) is offered


def test_an_unset_variable_is_named_with_its_key() -> None:
    server = Server(name="gh", command="x", args=("--token", "${NOPE}"))
    with pytest.raises(ConfigurationError, match=r'server "gh": args\[1\]: the environment variable NOPE is not set'):
        fill_server(server, {})


def test_every_setting_is_filled() -> None:
    started = Server(
        name="a",
        command=("${V}", "x"),
        args=("${V}",),
        env={"A": "${V}"},
        working_dir="${V}",
        roots=("${V}",),
    )
    far = Server(name="b", url="http://${V}", headers={"B": "${V}"}, auth_token="${V}")
    filled = [fill_server(server, {"V": "v"}) for server in (started, far)]
    assert all("${V}" not in server.model_dump_json() for server in filled)
    assert filled[0].command == ("v", "x")


@pytest.mark.parametrize(
    ("command", "line"),
    [
        (("server", "$${HOME}/docs"), "server '${HOME}/docs'"),
        (("server", "${HOME}/my docs", "${env:A:-b}"), 'server "${HOME}/my docs" "${A:-b}"'),
        (("server", 'say "$$5" ${A}'), 'server "say \\"\\$5\\" ${A}"'),
        ("server '$${HOME}/docs' -y", "server '${HOME}/docs' -y"),
        ("server 'my docs'", "server 'my docs'"),
    ],
)
def test_the_address_of_a_command_is_what_a_shell_would_take(command: str | tuple[str, ...], line: str) -> None:
    assert Server(name="a", command=command).address == line


@pytest.mark.parametrize(
    ("url", "connection_type"),
    [("http://x/mcp", "http"), ("ws://x/ws", "websocket"), ("WSS://x", "websocket"), ("${URL}", "http"), ("[", "http")],
)
def test_the_scheme_of_a_url_says_how_it_is_reached(url: str, connection_type: str) -> None:
    assert Server.model_validate({"name": "a", "url": url}).connection_type == connection_type


def test_patterns_that_fit_no_tool_are_known() -> None:
    server = Server(name="a", command="x", tool_prefix="p.", enabled_tools=("read_*", "p.raed"), disabled_tools=("x",))
    assert list(server.idle_patterns(["read_file"])) == [("enabled_tools", "p.raed"), ("disabled_tools", "x")]
    assert list(server.idle_patterns([])) == []


def test_the_section_has_a_schema() -> None:
    assert "tool_prefix" in str(HubConfig.model_json_schema())


def test_reading_the_section_imports_no_client() -> None:
    program = "import sys, gleitzeit_mcp; sys.exit('mcp' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
