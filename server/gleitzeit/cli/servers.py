"""`gleitzeit servers`: how the downstream servers stand, and why those that are down are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import anyio
import typer

from gleitzeit.application import open_application
from gleitzeit.cli import exits
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.login import log_in
from gleitzeit.cli.options import ConfigOption, JsonOption
from gleitzeit.cli.output import kept_for_results, print_json, print_result, say
from gleitzeit.cli.server_text import HEADINGS, broken, cells_of, told_in_detail, told_trouble
from gleitzeit.cli.table import print_table
from gleitzeit.config import Configuration
from gleitzeit.core.diagnostics import did_you_mean
from gleitzeit.core.errors import NotFoundError
from gleitzeit.store.memory import MemoryStore

NameArgument = Annotated[str | None, typer.Argument(metavar="[NAME]", help="Only this server, with its tools.")]
LoginArgument = Annotated[str | None, typer.Argument(metavar="[SERVER]", help="After `login`: where to log in.")]
WaitOption = Annotated[
    float,
    typer.Option("--wait", min=0.0, max=300.0, metavar="SECONDS", help="How long a start may take."),
]

_UNSETTLED = ("starting", "restarting")

Row = Mapping[str, Any]


def servers(
    name: NameArgument = None,
    login_to: LoginArgument = None,
    wait: WaitOption = 30.0,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Start the downstream servers, and show how each stands; `servers login SERVER` logs in to one."""
    configuration = configured(config)
    if login_to is not None:
        if name != "login":
            raise typer.BadParameter(f'nothing follows the name of a server; or "login {login_to}"')
        log_in(configuration, login_to, as_json)
        return
    with kept_for_results():
        rows, tools = anyio.run(_collect, configuration, wait, name)
    if name is None:
        _show_all(rows, as_json)
    else:
        rows = [_named(name, rows)]
        _show_one(rows[0], tools, as_json)
    raise typer.Exit(exits.UNREACHABLE if any(row["state"] == "failed" for row in rows) else exits.OK)


async def _collect(
    configuration: Configuration, wait: float, name: str | None
) -> tuple[Sequence[Row], Sequence[Mapping[str, Any]]]:
    async with open_application(configuration, store=MemoryStore(), recover=False) as application:
        rows = await application.servers(wait)
        up = name is not None and any(row["name"] == name and row["state"] not in _UNSETTLED for row in rows)
        return rows, await application.server_tools(name) if up else []


def _named(name: str, rows: Sequence[Row]) -> Row:
    for row in rows:
        if row["name"] == name:
            return row
    known = [str(row["name"]) for row in rows]
    spare = f"there are {', '.join(known)}" if known else "name it under mcp.servers"
    raise NotFoundError(f'no server is named "{name}"', hint=did_you_mean(name, known) or spare)


def _show_all(rows: Sequence[Row], as_json: bool) -> None:
    if as_json:
        print_json({"servers": rows, "count": len(rows)})
        return
    if not rows:
        say("no downstream servers: name them under mcp.servers, or: gleitzeit config import claude-desktop")
        return
    print_table(HEADINGS, [cells_of(row) for row in rows])
    troubled = [row for row in rows if broken(row)]
    for row in troubled:
        print_result("\n" + "\n".join(told_trouble(row)))
    if troubled:
        say(("  hint", "bold cyan"), ": `gleitzeit doctor` looks for the cause")


def _show_one(row: Row, tools: Sequence[Mapping[str, Any]], as_json: bool) -> None:
    if as_json:
        print_json({"server": row, "tools": tools})
    else:
        print_result("\n".join(told_in_detail(row, tools)))
