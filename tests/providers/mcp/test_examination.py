"""An examination says of each server what is wrong with it, from its settings to its tools."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import anyio
import pytest

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit.core.findings import Finding
from gleitzeit_mcp import MCPHubProvider
from gleitzeit_mcp.command_findings import command_findings
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.examination import examine, running_findings, setting_findings

pytestmark = pytest.mark.anyio

OpenHub = Callable[..., AbstractAsyncContextManager[MCPHubProvider]]
OwnServer = Callable[..., dict[str, Any]]

READY: Mapping[str, Any] = {
    "name": "a",
    "state": "ready",
    "protocol_version": "2026-07-28",
    "tools": 2,
    "restarts": 0,
    "last_error": None,
}


def server(**settings: Any) -> Server:
    return Server.model_validate({"name": "a", "command": "sh", **settings})


def worst(findings: Sequence[Finding]) -> Finding:
    return min(findings, key=lambda finding: ("error", "warning", "ok").index(finding.level))


async def test_servers_are_started_and_each_is_told_how_it_stands(open_hub: OpenHub, own_server: OwnServer) -> None:
    with anyio.fail_after(30):
        async with open_hub(own_server("toolbox"), own_server("crashing", max_restarts=0)) as hub:
            findings = await examine(hub)
    toolbox = [finding for finding in findings if finding.subject == "server toolbox"]
    crashing = worst([finding for finding in findings if finding.subject == "server crashing"])
    assert any(finding.message.startswith("ready: ") and "MCP 20" in finding.message for finding in toolbox)
    assert crashing.level == "error"
    assert "fatal: no token given" in crashing.message
    assert crashing.fix is not None


async def test_without_servers_there_is_nothing_wrong(open_hub: OpenHub) -> None:
    async with open_hub() as hub:
        assert [finding.level for finding in await examine(hub)] == ["ok"]


async def test_every_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GONE_ONE", "GONE_TWO"):
        monkeypatch.delenv(name, raising=False)
    findings = await setting_findings(
        server(args=("${GONE_ONE}",), env={"A": "${GONE_TWO}", "B": "${GONE_THREE:-x}", "C": "$${GONE}"})
    )
    assert [finding.message for finding in findings] == [
        "args[0]: the environment variable GONE_ONE is not set",
        "env.A: the environment variable GONE_TWO is not set",
    ]


@pytest.mark.skipif(os.name == "nt", reason="its login shell is a shell script")
async def test_a_command_that_only_the_login_shell_finds_is_a_warning_with_its_full_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("own-npx", "shell"):
        (tmp_path / name).write_text(
            f'#!/bin/sh\nPATH={tmp_path}:$PATH\nwhile [ "$1" != -c ]; do shift; done; eval "$2"\n'
        )
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("SHELL", str(tmp_path / "shell"))
    monkeypatch.setenv("HOME", str(tmp_path))
    with anyio.fail_after(10):
        (found,) = await command_findings("a", server(command="own-npx -y x"), "darwin")
    assert found.level == "warning"
    assert found.fix == f"write its full path as `command`: {tmp_path / 'own-npx'}"


async def test_a_command_that_only_this_shell_finds_is_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "own-server").write_text("#!/bin/sh\n")
    (tmp_path / "own-server").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}/usr/bin{os.pathsep}/bin")
    monkeypatch.setenv("SHELL", "/bin/false")
    monkeypatch.setenv("HOME", str(tmp_path))
    with anyio.fail_after(10):
        (found,) = await command_findings("a", server(command="own-server"), "linux")
    assert found.level == "warning"
    assert "as it is here" in found.message
    assert await command_findings("a", server(command="own-server"), "win32") == []


async def test_a_command_that_is_everywhere_is_well_and_one_that_is_nowhere_is_not() -> None:
    with anyio.fail_after(10):
        (well,) = await command_findings("a", server(), "linux")
        (gone,) = await command_findings("a", server(command="no-such-server"), "linux")
    assert (well.level, gone.level) == ("ok", "error")
    assert gone.message.startswith("the command no-such-server is not on PATH")
    assert gone.fix == "install no-such-server, or give its full path in `command`"
    assert await command_findings("a", server(command=sys.executable), "linux") == []


def test_patterns_that_fit_no_tool_are_told_with_the_nearest_name() -> None:
    settings = server(
        tool_prefix="fs.",
        enabled_tools=("read_*", "fs.wirte_file"),
        disabled_tools=("delete_*", "move_*"),
        idempotent_tools=("read_file", "raed_file"),
    )
    row = {**READY, "hidden": ["move_file"]}
    findings = running_findings(settings, row, ["read_file", "write_file"], 1.0)
    assert [(finding.message, finding.fix) for finding in findings[1:]] == [
        ('enabled_tools: "fs.wirte_file" fits none of its tools', 'did you mean "write_file"?'),
        ('idempotent_tools: "raed_file" fits none of its tools', 'did you mean "read_file"?'),
        ('disabled_tools: "delete_*" fits none of its tools', "its tools are read_file, write_file, move_file"),
    ]


def test_disabled_patterns_are_not_judged_where_nobody_says_what_is_hidden() -> None:
    findings = running_findings(server(disabled_tools=("move_*",)), READY, ["read_file"], 1.0)
    assert [finding.level for finding in findings] == ["ok"]


def test_the_time_until_a_server_was_ready_is_told() -> None:
    (found,) = running_findings(server(), {**READY, "uptime": 1.0}, ["x", "y"], 3.5)
    assert found.message == "ready: 2 tools, MCP 2026-07-28, ready after 2.5 s"


def test_what_a_server_last_wrote_is_told_with_how_to_see_more() -> None:
    row = {
        **READY,
        "state": "failed",
        "last_error": 'server "a" did not answer within 60 s',
        "hint": "give it longer",
        "stderr": ["downloading", "no network"],
        "address": "npx -y a",
    }
    (found,) = running_findings(server(), row, [], 60.0)
    assert found.level == "error"
    assert found.message == "did not answer within 60 s; its stderr ends:\n  downloading\n  no network"
    assert found.fix == "give it longer; to see it start by hand: npx -y a"


async def test_a_url_that_does_not_fit_its_connection_type_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "localhost:9/mcp")
    for far in (
        {"url": "localhost:9/mcp"},
        {"url": "${PLACE}"},
        {"url": "http://x/ws", "connection_type": "websocket"},
    ):
        (found,) = await setting_findings(Server.model_validate({"name": "a", **far}))
        assert (found.level, found.subject) == ("error", "server a")
        assert "its url is not an address" in found.message
        assert "goes on with the host" in str(found.fix)
    assert await setting_findings(Server(name="a", connection_type="sse", url="http://localhost:9/sse")) == []


def test_one_line_of_noise_is_one_line() -> None:
    (_, found) = running_findings(server(), {**READY, "junk": 1}, ["x"], 1.0)
    assert found.message == "1 line on its standard output was no message, and was skipped"


def test_noise_and_malformed_tools_and_long_names_are_warnings() -> None:
    row = {**READY, "state": "degraded", "last_error": 'server "a": tool "x" is malformed', "junk": 3}
    findings = running_findings(server(), row, ["y" * 65], 1.0)
    assert [finding.level for finding in findings] == ["warning"] * 3
    assert 'tool "x" is malformed' in findings[0].message
    assert findings[1].message.startswith("3 lines on its standard output")


def test_a_server_that_is_up_but_gives_no_sign_of_life_is_an_error() -> None:
    silence = ProviderUnavailableError('server "a" does not answer', hint="start it again")
    (found,) = running_findings(server(), READY, ["x"], 1.0, silence)
    assert (found.level, found.fix) == ("error", "start it again")


async def test_a_server_that_waits_for_its_use_is_started_to_be_looked_at(
    open_hub: OpenHub, own_server: OwnServer
) -> None:
    with anyio.fail_after(30):
        async with open_hub(own_server("toolbox", auto_start=False)) as hub:
            findings = await examine(hub)
    assert any(finding.message.startswith("ready: ") for finding in findings)
