"""The conformance suite of the protocol's authors, run against a server, and what it found."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import anyio
import yaml
from tests.node import MODULES, newer_node

Revision = Literal["2025-06-18", "2025-11-25", "2026-07-28"]
Status = Literal["SUCCESS", "FAILURE", "WARNING", "SKIPPED", "INFO"]

PACKAGE = MODULES / "@modelcontextprotocol" / "conformance"
SUITE = PACKAGE / "dist" / "index.js"
REQUIRED = {path.stem: path for path in (PACKAGE / "requirements").glob("*.yaml")}

_LISTED = re.compile(r"^ +- (\S+)", re.MULTILINE)
_DATED = re.compile(r"-\d{4}-\d\d-\d\dT.*")


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that a scenario looked at."""

    scenario: str
    id: str
    status: Status
    message: str

    @property
    def passed(self) -> bool:
        """Whether it is as the suite wants it; what it only tells counts as that."""
        return self.status in ("SUCCESS", "INFO")

    def __str__(self) -> str:
        return f"{self.scenario}: {self.id} {self.status.lower()}: {self.message}"


async def everything(url: str, revision: Revision, folder: Path) -> list[Check]:
    """What comes out of all scenarios that belong to a revision of the protocol, those of its extensions too."""
    output = await _run("server", "--url", url, *_chosen(revision), "--output-dir", str(folder))
    checks = list(_checks(folder))
    assert checks, output
    return checks


async def alone(url: str, scenario: str, revision: Revision, folder: Path) -> list[Check]:
    """What comes out of one scenario, with nothing else going on."""
    chosen = ("--scenario", scenario, "--spec-version", revision, "--force")  # extensions belong to no revision
    output = await _run("server", "--url", url, *chosen, "--output-dir", str(folder))
    checks = list(_checks(folder))
    assert checks, output
    return checks


async def scenarios(revision: Revision) -> set[str]:
    """The names of these scenarios."""
    if revision in REQUIRED:
        listed = yaml.safe_load(REQUIRED[revision].read_text(encoding="utf-8"))
        uncounted = {entry["scenario"] for entry in listed["not_scored"] if entry["leg"] == "server"}
        return {*listed["server"], *uncounted}
    return set(_LISTED.findall(await _run("list", "--server", "--spec-version", revision)))


def _chosen(revision: Revision) -> tuple[str, ...]:
    """Options that choose them: as the revision requires them, where that has been written down."""
    if revision in REQUIRED:
        return ("--requirements", revision)
    return ("--suite", "all", "--spec-version", revision)


async def _run(*arguments: str) -> str:
    program = newer_node()
    assert program is not None
    ended = await anyio.run_process([program, str(SUITE), *arguments], check=False, stderr=subprocess.STDOUT)
    return ended.stdout.decode()


def _checks(folder: Path) -> Iterator[Check]:
    for path in sorted(folder.glob("**/checks.json")):
        name = _DATED.sub("", path.parent.name.removeprefix("server-"))
        for found in json.loads(path.read_text(encoding="utf-8")):
            yield Check(name, found["id"], found["status"], found.get("errorMessage", ""))
