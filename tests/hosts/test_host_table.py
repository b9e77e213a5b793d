"""Gleitzeit starts exactly as each line of the README's table says, from what a host gives it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
from tests.fork_server import Launch
from tests.hosts.table import ROOT, Line, Start, at, lines, start_of_command, start_of_entry
from tests.pipe import Pipe, modern, pipe
from tests.ways import FULL, some

from gleitzeit.cli.hosts.host import Scope

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.timeout(90),
    pytest.mark.skipif(sys.platform != "linux", reason="looks for the files of hosts where Linux has them"),
]

BARE_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"  # what a host has that was started from the desktop
WAYS_OUT = ("UV_", "SSL_CERT_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")  # how this machine reaches a registry
LINES = lines()


@dataclass(frozen=True, slots=True)
class Manners:
    """How a host opens a connection."""

    version: str
    discovers: bool = False


MANNERS = {
    "Claude Desktop": Manners("2025-06-18"),
    "Claude Code": Manners("2025-11-25", discovers=True),
    "Cursor": Manners("2025-06-18"),
    "VS Code": Manners("2025-11-25"),
    "Codex": Manners("2025-06-18"),
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home folder of somebody who has just installed Gleitzeit."""
    home = tmp_path / "home"
    home.mkdir()
    return home


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def uvx(tmp_path: Path) -> Path:
    """A folder with a program that starts what `uvx --from ROOT NAME` starts, out of the environment of the tests."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "uvx"
    scripts = Path(sys.executable).parent
    lines = ["#!/bin/sh", f'[ "$1 $2" = "--from {ROOT}" ] || exit 64', "shift 2", f'exec "{scripts}/$1"']
    program.write_text("\n".join(lines) + "\n", encoding="utf-8")
    program.chmod(0o755)
    return folder


@pytest.mark.parametrize("scope", some([Scope.PROJECT], list(Scope)))
@pytest.mark.parametrize("line", [line for line in LINES if line.installs], ids=lambda line: line.host)
async def test_a_host_starts_what_was_installed(
    line: Line, scope: Scope, home: Path, project: Path, launch: Launch
) -> None:
    environment = {"HOME": str(home), "PATH": BARE_PATH}
    options = [] if line.host == "Claude Desktop" else ["--scope", scope]
    ended = launch([*line.command[1:], *options], cwd=project, env=environment)
    assert ended.code == 0, ended.stderr.decode()
    start = start_of_entry(entry_for(line, home if scope is Scope.USER else project, home))
    async with opened(line.host, start, environment) as host:
        await use(host)


@pytest.mark.parametrize("line", [line for line in LINES if not line.installs], ids=lambda line: line.host)
async def test_a_host_starts_what_its_own_command_says(line: Line, home: Path, uvx: Path) -> None:
    start = at(ROOT, start_of_command(line.command))
    async with opened(line.host, start, {"HOME": str(home), "PATH": f"{uvx}:{BARE_PATH}"}) as host:
        await use(host)


async def test_claude_desktop_starts_it_twice_on_one_home(home: Path, project: Path, launch: Launch) -> None:
    environment = {"HOME": str(home), "PATH": BARE_PATH}
    assert launch(["install", "claude-desktop"], cwd=project, env=environment).code == 0
    start = start_of_entry(written(home / ".config/Claude/claude_desktop_config.json", "mcpServers"))
    async with (
        opened("Claude Desktop", start, environment) as one,
        opened("Claude Desktop", start, environment) as other,
    ):
        run_id = await use(one)
        await use(other)
        seen = await other.call(20, "inspect_run", run_id=run_id)
    assert seen["structuredContent"]["status"] == "completed"


@pytest.mark.skipif(not FULL, reason="builds Gleitzeit anew: make ways does it")
@pytest.mark.skipif(shutil.which("uvx") is None, reason="uvx is missing")
@pytest.mark.timeout(300)
async def test_the_real_uvx_starts_what_the_example_says(home: Path) -> None:
    example = json.loads((ROOT / "claude_config_example.json").read_text(encoding="utf-8"))
    start = at(ROOT, start_of_entry(example["mcpServers"]["gleitzeit"]))
    environment = {"HOME": str(home), "PATH": f"{Path(str(shutil.which('uvx'))).parent}:{BARE_PATH}"}
    ways_out = {name: value for name, value in os.environ.items() if name.startswith(WAYS_OUT)}
    async with opened("Claude Desktop", start, {**ways_out, **environment}, patience=240) as host:
        await use(host)


def test_the_table_has_the_hosts_that_are_known() -> None:
    assert [line.host for line in LINES] == list(MANNERS)


@asynccontextmanager
async def opened(name: str, start: Start, environment: Mapping[str, str], patience: float = 50) -> AsyncGenerator[Pipe]:
    """A connection to what a host starts, opened as that host does it, and ended by hanging up."""
    manners = MANNERS[name]
    with anyio.fail_after(patience):
        async with pipe({**environment, **start.environment}, start.command, Path("/")) as host:
            if manners.discovers:
                discovered = await host.request(1, "server/discover", modern())
                assert "2026-07-28" in discovered["result"]["supportedVersions"]
            initialized = await host.initialize(2, manners.version)
            assert initialized["result"]["protocolVersion"] == manners.version
            yield host
            await host.stdin.aclose()
            assert await host.rest() == b""
            assert await host.process.wait() == 0


async def use(host: Pipe) -> str:
    """List the tools, have a workflow run, and return its run."""
    listed = await host.request(3, "tools/list")
    assert {"submit_workflow", "inspect_run"} <= {tool["name"] for tool in listed["result"]["tools"]}
    workflow = {"tasks": [{"id": "servers", "method": "mcp/servers"}], "outputs": {"found": "${servers}"}}
    run = (await host.call(4, "submit_workflow", workflow=workflow, wait_seconds=20))["structuredContent"]
    assert run["status"] == "completed", run
    return str(run["run_id"])


def entry_for(line: Line, folder: Path, home: Path) -> Mapping[str, object]:
    """The entry that a host finds in its file of `folder`."""
    user = folder == home
    match line.host:
        case "Claude Desktop":
            return written(home / ".config/Claude/claude_desktop_config.json", "mcpServers")
        case "Claude Code":
            return written(folder / (".claude.json" if user else ".mcp.json"), "mcpServers")
        case "Cursor":
            return written(folder / ".cursor/mcp.json", "mcpServers")
        case _:
            return written(folder / (".config/Code/User/mcp.json" if user else ".vscode/mcp.json"), "servers")


def written(path: Path, section: str) -> dict[str, object]:
    """What was entered for Gleitzeit under a section of a file."""
    entry: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))[section]["gleitzeit"]
    return entry
