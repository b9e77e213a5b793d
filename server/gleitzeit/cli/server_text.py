"""A downstream server in words for a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from gleitzeit.application.unchecked import short_problem
from gleitzeit.cli.table import Cell

Row = Mapping[str, Any]

HEADINGS = ("NAME", "STATE", "TRANSPORT", "PROTOCOL", "TOOLS", "RESTARTS", "PROBLEM")

_LONGEST = 120
_STYLES = {"ready": "green", "degraded": "yellow", "failed": "bold red", "starting": "cyan", "restarting": "yellow"}
_FACTS = {
    "state": "state",
    "transport": "transport",
    "address": "address",
    "protocol_version": "protocol",
    "pid": "process",
    "uptime": "seconds up",
    "restarts": "restarts",
    "calls": "calls in flight",
    "junk": "lines that were no messages",
}


def broken(row: Row) -> bool:
    """Whether something is wrong with the server."""
    return row["state"] in ("failed", "restarting", "degraded")


def cells_of(row: Row) -> tuple[Cell, ...]:
    """The server as a row of a table, under `HEADINGS`."""
    state = str(row["state"])
    return (
        str(row["name"]),
        (state, _STYLES.get(state, "")),
        str(row["transport"]),
        str(row.get("protocol_version") or "-"),
        str(row["tools"]),
        str(row["restarts"]),
        _cut(short_problem(row)) if broken(row) else "",
    )


def told_trouble(row: Row) -> Iterator[str]:
    """The lines that say what is wrong with a server, what it last wrote to standard error, and what to do."""
    error = _error(row)
    yield f"{row['name']} is {row['state']}:"
    yield from (f"  {line}" for line in (error or "no reason is known").splitlines())
    written = [str(line) for line in row.get("stderr") or () if str(line) not in error]
    if written:
        yield "  its stderr ends:"
        yield from (f"    {line}" for line in written)
    if row.get("hint"):
        yield f"  hint: {row['hint']}"


def _error(row: Row) -> str:
    return str(row.get("last_error") or "")


def told_in_detail(row: Row, tools: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The lines that say all there is to know about one server, its tools among them."""
    yield str(row["name"])
    yield from (f"  {words}: {_shown(row[key])}" for key, words in _FACTS.items() if row.get(key))
    if broken(row) or row.get("last_error"):
        yield from told_trouble(row)
    if row.get("hidden"):
        yield f"  hidden by enabled_tools or disabled_tools: {', '.join(map(str, row['hidden']))}"
    for pattern in row.get("idle_patterns") or ():
        yield f"  fits none of its tools: {pattern}"
    if not tools:
        return
    yield f"{len(tools)} tool{'' if len(tools) == 1 else 's'}:"
    width = max(len(str(tool["method"])) for tool in tools)
    for tool in tools:
        summary = str(tool.get("description") or "").strip().partition("\n")[0]
        yield f"  {tool['method']:<{width}}  {summary}".rstrip()


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _shown(value: object) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
