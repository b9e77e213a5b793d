"""`gleitzeit config import`: takes the MCP servers of a host over into the configuration."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from gleitzeit.application.discovery import load_providers
from gleitzeit.cli.chosen_configuration import DEBUG, configured
from gleitzeit.cli.host_config import Change, read_text, write_change
from gleitzeit.cli.hosts.entries import Skipped, Taken, taken_over
from gleitzeit.cli.hosts.files import HOSTS, named_files, servers_in
from gleitzeit.cli.options import ConfigOption, JsonOption
from gleitzeit.cli.output import kept_for_results, print_json, print_result, say
from gleitzeit.cli.yaml_addition import UnextendableError, entry_text, with_entries
from gleitzeit.config import Configuration, load_configuration
from gleitzeit.core.errors import ConfigurationError
from gleitzeit.registry import ProtocolProviderRegistry

SourceArgument = Annotated[
    str, typer.Argument(metavar="HOST|FILE", help=f"A host ({', '.join(HOSTS)}), or a file with its servers.")
]
_PLACE = ("mcp", "servers")

DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Only show what would change.")]


@dataclass(frozen=True, slots=True)
class _Import:
    """What is taken over, what is not, and how the configuration changes."""

    taken: Sequence[Taken]
    skipped: Sequence[Skipped]
    change: Change

    @property
    def needed(self) -> bool:
        """Whether there is anything to write."""
        return bool(self.taken)

    @property
    def warnings(self) -> list[str]:
        return [f"{server.name}: {note}" for server in self.taken for note in (*server.notes, *_secret_notes(server))]


def import_servers(
    source: SourceArgument, dry_run: DryRunOption = False, config: ConfigOption = None, as_json: JsonOption = False
) -> None:
    """Take the MCP servers of a host over into the configuration; what stands there already is kept."""
    planned = _planned(source, config)
    backup = write_change(planned.change) if planned.needed and not dry_run else None
    if as_json:
        print_json(_facts(planned, backup, dry_run))
    else:
        _tell(planned, backup, dry_run)


def _planned(source: str, config: Path | None) -> _Import:
    configuration = configured(config)
    servers = [server for file in named_files(source) for server in servers_in(file)]
    if not servers:
        raise ConfigurationError(
            f"{source} has no MCP servers", hint="they are expected under mcpServers, or servers in files of VS Code"
        )
    results = taken_over(servers, _present(configuration))
    taken = [result for result in results if isinstance(result, Taken)]
    skipped = [result for result in results if isinstance(result, Skipped)]
    path = configuration.path or configuration.home / "config.yaml"
    change = _change(path, taken)
    if taken:
        _check(config, change)
    return _Import(taken, skipped, change)


def _present(configuration: Configuration) -> frozenset[str]:
    listed = (str(server.get("name")) for server in configuration.mcp.servers)
    return frozenset({*listed, *configuration.mcp.mcpServers})


def _change(path: Path, taken: Sequence[Taken]) -> Change:
    before = read_text(path)
    if not taken:
        return Change(path, before, before or "", "")
    try:
        after = with_entries(before or "", _PLACE, [server.settings for server in taken])
        shown = with_entries(before or "", _PLACE, [server.masked() for server in taken])
    except UnextendableError as error:
        entries = entry_text([server.masked() for server in taken], 4)
        raise ConfigurationError(
            f"{path} was left as it is: {error}",
            hint=f"paste this there, and fill in what is hidden:\nmcp:\n  servers:\n{entries}",
        ) from error
    return Change(path, before, after, _diff(path, before, shown))


def _diff(path: Path, before: str | None, after: str) -> str:
    """The lines that come in; the lines around them may hold secrets, and are left out."""
    names = ("/dev/null" if before is None else str(path), str(path))
    return "\n".join(difflib.unified_diff((before or "").splitlines(), after.splitlines(), *names, lineterm="", n=0))


def _check(config: Path | None, change: Change) -> None:
    """Hold the configuration to be against everything that it has to fulfil, before it is written."""
    environment = {name: value for name, value in os.environ.items() if name != DEBUG}
    section: Mapping[str, Any] = yaml.safe_load(change.after.removeprefix("\ufeff"))["mcp"]
    try:
        configuration = load_configuration(config, environment, {"mcp.servers": section["servers"]})
        with kept_for_results():
            load_providers(ProtocolProviderRegistry.get_instance(), configuration)
    except ConfigurationError as error:
        raise ConfigurationError(f"{change.path} was left as it is: {error.message}", hint=error.hint) from error


def _secret_notes(server: Taken) -> list[str]:
    return [
        f"{secret.place} is taken over in plain text; better write it as {secret.better}, and set that variable"
        for secret in server.secrets
    ]


def _facts(planned: _Import, backup: Path | None, dry_run: bool) -> dict[str, Any]:
    return {
        "path": str(planned.change.path),
        "changed": planned.needed and not dry_run,
        "backup": str(backup) if backup else None,
        "servers": [server.name for server in planned.taken],
        "skipped": [{"name": server.name, "reason": server.reason} for server in planned.skipped],
        "warnings": planned.warnings,
        "diff": planned.change.diff,
    }


def _tell(planned: _Import, backup: Path | None, dry_run: bool) -> None:
    change = planned.change
    for server in planned.skipped:
        say(f"skipped {server.name}: {server.reason}")
    for warning in planned.warnings:
        say(("warning", "bold yellow"), f": {warning}")
    if not planned.needed:
        say(f"{change.path} was left as it is: nothing to take over")
        return
    print_result(change.diff)
    if dry_run:
        say("nothing is written: --dry-run")
        return
    say(("written", "bold green"), f": {change.path}")
    if backup is not None:
        say(f"what was there before is kept in {backup}")
    say("`gleitzeit servers` starts them and shows how they stand")
