"""`gleitzeit doctor`: looks at everything that may be wrong, and says how to mend it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import anyio
import typer

from gleitzeit.application import open_application
from gleitzeit.application.stores import database_problem, store_of
from gleitzeit.cli import exits
from gleitzeit.cli.chosen_configuration import configured
from gleitzeit.cli.options import ConfigOption, JsonOption
from gleitzeit.cli.output import has_terminal, kept_for_results, print_json, say
from gleitzeit.cli.surroundings import home_finding, host_findings, installation_finding, python_finding
from gleitzeit.cli.table import print_line
from gleitzeit.config import Configuration
from gleitzeit.config.loading import home_folder
from gleitzeit.core.errors import ConfigurationError, GleitzeitError, UnsupportedError
from gleitzeit.core.findings import Finding
from gleitzeit.mcp_server.published.exposure import examine_exposure
from gleitzeit.store.memory import MemoryStore
from gleitzeit.store.owners import this_process

_STYLES = {"ok": "green", "warning": "bold yellow", "error": "bold red"}
_WIDTH = max(map(len, _STYLES))


@dataclass(slots=True)
class _Report:
    """What was found so far, and whether it is the configuration that can't be used."""

    findings: list[Finding] = field(default_factory=list[Finding])
    misconfigured: bool = False

    def refuse(self, subject: str, error: GleitzeitError) -> None:
        """Note an error, which may be one of the configuration."""
        self.findings.append(Finding.of(subject, error))
        self.misconfigured |= isinstance(error, (ConfigurationError, UnsupportedError))

    @property
    def exit_code(self) -> int:
        """The exit code that says the same."""
        if self.misconfigured:
            return exits.INVALID
        return exits.UNREACHABLE if any(finding.level == "error" for finding in self.findings) else exits.OK


def doctor(config: ConfigOption = None, as_json: JsonOption = False) -> None:
    """Look at everything that may be wrong, start each server, and say how to mend what is."""
    report = _Report()
    path = os.environ.get("PATH", os.defpath)
    report.findings += [python_finding(), home_finding(home_folder()), Finding("PATH", "ok", path)]
    configuration = _configuration(report, config)
    if configuration is not None:
        if has_terminal():
            say(("starting the providers and their servers", "dim"))
        with kept_for_results():
            anyio.run(_examine, report, configuration)
    report.findings += [installation_finding(path), *host_findings(path)]
    if as_json:
        findings = [finding.to_dict() for finding in report.findings]
        print_json({"findings": findings, "well": report.exit_code == exits.OK})
    else:
        _print(report.findings)
    raise typer.Exit(report.exit_code)


def _configuration(report: _Report, config: Path | None) -> Configuration | None:
    try:
        configuration = configured(config)
    except (ConfigurationError, UnsupportedError) as error:
        report.refuse("configuration", error)
        return None
    place = configuration.path or f"no file at {configuration.home / 'config.yaml'}: defaults"
    report.findings.append(Finding("configuration", "ok", str(place)))
    return configuration


async def _examine(report: _Report, configuration: Configuration) -> None:
    await _examine_database(report, configuration)
    try:
        async with open_application(configuration, store=MemoryStore(), recover=False, warm=False) as application:
            report.findings += await application.examine()
            report.findings += await examine_exposure(application)
    except GleitzeitError as error:
        report.refuse("configuration", error)


async def _examine_database(report: _Report, configuration: Configuration) -> None:
    """Whether the database can be opened, by opening it."""
    file = configuration.engine.file
    if file is None:
        report.findings.append(Finding("database", "ok", "runs are kept in memory, and end with their process"))
        return
    problem = database_problem(configuration)
    if problem is not None:
        report.refuse("database", problem)
        return
    try:
        store = store_of(configuration)
        await store.open(this_process())
        await store.close()
    except GleitzeitError as error:
        report.refuse("database", error)
    else:
        report.findings.append(Finding("database", "ok", str(file)))


def _print(findings: Sequence[Finding]) -> None:
    for finding in findings:
        first, *rest = finding.message.splitlines() or [""]
        print_line((f"{finding.level:<{_WIDTH}}", _STYLES[finding.level]), f"  {finding.subject}: {first}")
        for words in rest:
            print_line(f"{'':<{_WIDTH}}  {words}")
        if finding.fix:
            print_line(f"{'':<{_WIDTH}}    ", ("fix", "bold cyan"), f": {finding.fix}")
    counts = Counter(finding.level for finding in findings)
    told = ", ".join(
        f"{counts[level]} {level}{'s' if counts[level] > 1 else ''}" for level in ("error", "warning") if counts[level]
    )
    say((told or "all is well", "bold" if told else "bold green"))
