"""`gleitzeit install`: enters Gleitzeit in the configuration of a host."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import typer

from gleitzeit.cli.host_config import Change, plan_change, write_change
from gleitzeit.cli.hosts.host import Host, Scope, config_file
from gleitzeit.cli.launcher import server_entry
from gleitzeit.cli.options import ConfigOption, JsonOption
from gleitzeit.cli.output import json_text, print_json, print_result, say
from gleitzeit.core.errors import NotFoundError

HostArgument = Annotated[Host, typer.Argument(help="The host to enter Gleitzeit in.")]
PrintOption = Annotated[bool, typer.Option("--print", help="Only print the entry; change nothing.")]
ScopeOption = Annotated[
    Scope,
    typer.Option(help="`project` writes the host's file of this folder, `user` that of all; Claude Desktop has one."),
]
_NEXT = {
    Host.CLAUDE_DESKTOP: "restart Claude Desktop to see it",
    Host.CLAUDE_CODE: "start Claude Code again here; it asks once whether to trust the server",
    Host.CURSOR: "turn the server on in Cursor's settings, under MCP",
    Host.VS_CODE: "open the folder in VS Code; it asks once whether to trust the server",
}
NameOption = Annotated[str, typer.Option("--name", help="What the host is to call the server.")]


def install(
    host: HostArgument,
    print_only: PrintOption = False,
    scope: ScopeOption = Scope.PROJECT,
    name: NameOption = "gleitzeit",
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Enter Gleitzeit in the configuration of a host."""
    entry = _entry(host, config)
    if print_only:
        print_result(json_text({host.section: {name: entry}}))
        return
    change = plan_change(config_file(host, scope), name, entry, host.section)
    backup = write_change(change) if change.needed else None
    if as_json:
        print_json(_facts(change, backup, entry))
    else:
        _tell(change, backup, host)


def _entry(host: Host, config: Path | None) -> dict[str, Any]:
    if config is not None and not config.is_file():
        raise NotFoundError(f"there is no file {config}", hint="--config names an existing configuration")
    entry = server_entry(config, os.environ)
    return {"type": "stdio", **entry} if host in (Host.CLAUDE_CODE, Host.VS_CODE) else entry


def _facts(change: Change, backup: Path | None, entry: dict[str, Any]) -> dict[str, Any]:
    return {
        "path": str(change.path),
        "changed": change.needed,
        "backup": str(backup) if backup else None,
        "entry": entry,
        "diff": change.diff,
    }


def _tell(change: Change, backup: Path | None, host: Host) -> None:
    if not change.needed:
        say(f"{change.path} has this entry already: nothing to do")
        return
    print_result(change.diff)
    say(("written", "bold green"), f": {change.path}")
    if backup is not None:
        say(f"what was there before is kept in {backup}")
    say(_NEXT[host])
