"""What is wrong with the configured servers, each looked at from its settings to the tools that it really lists."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import anyio

from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.environment import fill
from gleitzeit.core.errors import ConfigurationError, GleitzeitError
from gleitzeit.core.findings import Finding
from gleitzeit_mcp.command_findings import command_findings
from gleitzeit_mcp.config import Server
from gleitzeit_mcp.environment import check_address, fill_server
from gleitzeit_mcp.servers.connection import START_LIMIT

LONGEST_NAME = 64
"""Letters that hosts take for the name of a tool."""

_SHOWN = 3


class Examined(Protocol):
    """What an examination needs of the hub: the settings, and what it says of its servers."""

    @property
    def servers(self) -> Sequence[Server]:
        """The configured servers."""
        ...

    async def handle_request(self, method: str, parameters: dict[str, Any]) -> Any:
        """Answer `mcp/servers`, `mcp/ping` and `mcp/tools/list`."""
        ...


async def examine(hub: Examined) -> list[Finding]:
    """What was found out about each server, in the order of the configuration."""
    if not hub.servers:
        return [Finding("mcp", "ok", "no downstream servers are configured")]
    begun = anyio.current_time()
    settings = [await setting_findings(server) for server in hub.servers]
    silent = await _asked(hub)
    rows = await _rows(hub)
    elapsed = anyio.current_time() - begun
    tools = (await hub.handle_request("mcp/tools/list", {}))["tools"]
    findings: list[Finding] = []
    for server, found in zip(hub.servers, settings, strict=True):
        findings += found
        row = rows.get(server.name)
        if row is not None and not any(finding.level == "error" for finding in found):
            names = [str(tool["name"]) for tool in tools if tool["server"] == server.name]
            findings += running_findings(server, row, names, elapsed, silent.get(server.name))
    return findings


async def examine_settings(servers: Iterable[Server]) -> list[Finding]:
    """What the settings of each server say before any is started."""
    return [finding for server in servers for finding in await setting_findings(server)]


async def setting_findings(server: Server) -> list[Finding]:
    """What the settings of one server say before it is started: its variables, its command or its url."""
    unset = list(_unset(server))
    if unset:
        return [Finding.of(subject_of(server), error) for error in unset]
    filled = fill_server(server, os.environ)
    if filled.connection_type == "stdio":
        return await command_findings(subject_of(server), filled)
    try:
        check_address(filled)
    except ConfigurationError as error:
        return [Finding(subject_of(server), "error", _nameless(server, error.message), error.hint)]
    return []


def running_findings(
    server: Server,
    row: Mapping[str, Any],
    tools: Sequence[str],
    elapsed: float,
    silence: GleitzeitError | None = None,
) -> list[Finding]:
    """What one server's row of `mcp/servers` and its tools say, `elapsed` seconds after it was to start.

    `silence` is why it gave no sign of life, if it gave none.
    """
    subject = subject_of(server)
    if row["state"] not in ("ready", "degraded"):
        return [Finding(subject, "error", _failure(server, row), _by_hand(server, row))]
    if silence is not None:
        return [Finding(subject, "error", f"{row['state']}, but {silence.message}", silence.hint)]
    findings = [_state(server, row, elapsed)]
    if row.get("junk"):
        findings.append(Finding(subject, "warning", _noise(row["junk"]), "have it log to standard error"))
    hidden = row.get("hidden")
    known = [*tools, *map(str, hidden or ())]
    if known:
        findings += _idle_patterns(server, known, with_disabled=hidden is not None)
    findings += _long_names(subject, tools)
    return findings


def subject_of(server: Server) -> str:
    """What findings about a server are about."""
    return f"server {server.name}"


async def _asked(hub: Examined) -> Mapping[str, GleitzeitError]:
    """Have every server started and asked for a sign of life, all at once; by their names, why some gave none."""
    silent: dict[str, GleitzeitError] = {}

    async def ask(server: Server) -> None:
        with anyio.move_on_after(server.timeout or START_LIMIT):
            try:
                await hub.handle_request("mcp/ping", {"server": server.name})
            except GleitzeitError as error:
                silent[server.name] = error

    async with anyio.create_task_group() as tasks:
        for server in hub.servers:
            tasks.start_soon(ask, server)
    return silent


async def _rows(hub: Examined) -> dict[str, Mapping[str, Any]]:
    answer = await hub.handle_request("mcp/servers", {})
    return {str(row["name"]): row for row in answer["servers"]}


def _texts(server: Server) -> Iterator[tuple[str, str]]:
    """Each text of the settings that variables may stand in, by its key."""
    command = server.command
    words = (command,) if isinstance(command, str) else command
    single = {"url": server.url, "working_dir": server.working_dir, "auth_token": server.auth_token}
    if server.oauth is not None:
        single |= {f"oauth.{key}": getattr(server.oauth, key) for key in ("client_id", "client_secret", "issuer")}
    yield from ((key, text) for key, text in single.items() if text is not None)
    for key, texts in (("command", words), ("args", server.args), ("roots", server.roots or ())):
        yield from ((f"{key}[{index}]", text) for index, text in enumerate(texts))
    for key, named in (("env", server.env), ("headers", server.headers)):
        yield from ((f"{key}.{name}", text) for name, text in named.items())


def _unset(server: Server) -> Iterator[ConfigurationError]:
    for key, text in _texts(server):
        try:
            fill(text, os.environ, key)
        except ConfigurationError as error:
            yield error


def _state(server: Server, row: Mapping[str, Any], elapsed: float) -> Finding:
    facts = [f"{row['tools']} tool{'' if row['tools'] == 1 else 's'}", f"MCP {row['protocol_version']}"]
    uptime = row.get("uptime")
    if isinstance(uptime, int | float) and elapsed >= uptime:
        facts.append(f"ready after {elapsed - uptime:.1f} s")
    if row["restarts"]:
        facts.append(f"restarted {row['restarts']} times")
    well = f"{row['state']}: {', '.join(facts)}"
    if row["state"] == "degraded" or row["last_error"]:
        message = f"{well}; {_words(server, row)}"
        return Finding(subject_of(server), "warning", message, "tell whoever makes the server")
    return Finding(subject_of(server), "ok", well)


def _noise(lines: int) -> str:
    if lines == 1:
        return "1 line on its standard output was no message, and was skipped"
    return f"{lines} lines on its standard output were no messages, and were skipped"


def _failure(server: Server, row: Mapping[str, Any]) -> str:
    """Why a server is not up, with what it last wrote to standard error where the reason does not have it."""
    reason = _words(server, row) or f"it is {row['state']}"
    missing = [str(line) for line in row.get("stderr") or () if str(line).strip() and str(line) not in reason]
    return "\n  ".join([f"{reason}; its stderr ends:", *missing]) if missing else reason


def _words(server: Server, row: Mapping[str, Any]) -> str:
    """The last error, without the name that the finding is about already."""
    return _nameless(server, str(row["last_error"] or ""))


def _nameless(server: Server, words: str) -> str:
    return words.removeprefix(f'server "{server.name}"').lstrip(": ")


def _by_hand(server: Server, row: Mapping[str, Any]) -> str:
    fix = str(row.get("hint") or f'correct the settings of "{server.name}" under mcp.servers')
    address = row.get("address")
    if not address:
        return fix
    if server.connection_type == "stdio":
        return f"{fix}; to see it start by hand: {address}"
    return f"{fix}; see whether {address} answers"


def _idle_patterns(server: Server, names: Sequence[str], *, with_disabled: bool) -> Iterator[Finding]:
    """Patterns of the settings that fit no tool, and so are most likely misspelt."""
    for key, pattern in server.idle_patterns(names):
        if key != "disabled_tools" or with_disabled:
            bare = pattern.removeprefix(server.tool_prefix).strip("*?")
            fix = did_you_mean(bare, names) or f"its tools are {', '.join(names[:_SHOWN])}{_more(names)}"
            yield Finding(subject_of(server), "warning", f'{key}: "{pattern}" fits none of its tools', fix)


def _long_names(subject: str, names: Sequence[str]) -> Iterator[Finding]:
    long = [name for name in names if len(name) > LONGEST_NAME]
    if long:
        message = f"tools with names of more than {LONGEST_NAME} letters: {', '.join(long[:_SHOWN])}{_more(long)}"
        yield Finding(subject, "warning", message, "workflows can call them; hosts that show them would leave them out")


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
