"""What the suite has to find: in the server of fixtures, and in Gleitzeit itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import yaml
from tests.conformance.server.build import build_fixture
from tests.conformance.serving import served
from tests.conformance.suite import Check, Revision, alone, everything, scenarios

from gleitzeit.mcp_server.http import Build
from gleitzeit.mcp_server.server import build_server

Subject = Literal["fixture", "product"]

MOST_DOUBTS = 3

SUBJECTS: Mapping[Subject, Build] = {"fixture": build_fixture, "product": build_server}
EXPECTED: Mapping[str, Mapping[str, Mapping[str, str]]] = yaml.safe_load(
    (Path(__file__).parent / "expected.yaml").read_text(encoding="utf-8")
)

# What a server can be asked that has none of the tools, prompts and resources of the suite.
GENERAL: Mapping[Revision, Collection[str]] = {
    "2025-06-18": {
        "ping",
        "prompts-list",
        "resources-list",
        "server-initialize",
        "server-session-lifecycle",
        "tools-list",
    },
    "2025-11-25": {
        "dns-rebinding-protection",
        "ping",
        "prompts-list",
        "resources-list",
        "server-initialize",
        "server-session-lifecycle",
        "server-sse-multiple-streams",
        "server-sse-polling",
        "tools-list",
    },
    "2026-07-28": {
        "caching",
        "dns-rebinding-protection",
        "http-header-validation",
        "input-required-result-unsupported-methods",
        "prompts-list",
        "resources-list",
        "sep-2164-resource-not-found",
        "server-sse-multiple-streams",
        "server-stateless",
        "tools-list",
    },
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the suite found in one server, of what that has to pass."""

    checks: tuple[Check, ...]
    missing: frozenset[str]
    expected: Mapping[str, str]

    @property
    def surprises(self) -> list[str]:
        """What does not pass although it should, what passes although it is excused, and what was not run."""
        found = {check.id for check in self.checks if not check.passed}
        failed = [str(check) for check in self.checks if not check.passed and check.id not in self.expected]
        stale = [f"{name} passes: it needs no excuse any more" for name in self.expected if name not in found]
        return [*failed, *stale, *(f"{name} was not run" for name in sorted(self.missing))]


async def examine(subject: Subject, revision: Revision, folder: Path) -> Verdict:
    """Run the suite against one server; `folder` keeps its home, and what the suite writes.

    The suite waits for some answers for half a second only. So what surprises in a few scenarios, on a machine that has
    other things to do, is looked at once more with nothing else going on.
    """
    wanted = await scenarios(revision) if subject == "fixture" else GENERAL[revision]
    expected = EXPECTED[subject].get(revision, {})
    home = folder / "home"
    home.mkdir(parents=True)
    async with served(SUBJECTS[subject], home) as url:
        found = await everything(url, revision, folder / "results")
        checks = [check for check in found if check.scenario in wanted]
        doubtful = {check.scenario for check in checks if not check.passed and check.id not in expected}
        for scenario in doubtful if len(doubtful) <= MOST_DOUBTS else ():
            checks = [check for check in checks if check.scenario != scenario]
            checks += await alone(url, scenario, revision, folder / scenario)
    return Verdict(tuple(checks), frozenset(wanted) - {check.scenario for check in checks}, expected)
