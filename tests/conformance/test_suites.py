"""The conformance suites pass: against a server of fixtures on our serving code, and against Gleitzeit itself."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import get_args

import pytest
from tests.conformance.expectations import Subject, Verdict, examine
from tests.conformance.suite import Check, Revision
from tests.ways import some

FEW: list[tuple[Subject, Revision]] = [
    ("fixture", "2025-11-25"),
    ("fixture", "2026-07-28"),
    ("product", "2025-11-25"),
]
EVERY = list(product(get_args(Subject), get_args(Revision)))

pytestmark = [pytest.mark.anyio, pytest.mark.node, pytest.mark.timeout(180)]


@pytest.mark.usefixtures("suite")
@pytest.mark.parametrize(("subject", "revision"), some(FEW, EVERY))
@pytest.mark.filterwarnings("ignore:The logging capability:mcp.shared.exceptions.MCPDeprecationWarning")
async def test_what_the_suite_finds_is_what_is_expected(subject: Subject, revision: Revision, tmp_path: Path) -> None:
    verdict = await examine(subject, revision, tmp_path)
    assert verdict.surprises == []


def test_what_fails_what_is_excused_for_nothing_and_what_was_not_run_is_told() -> None:
    checks = (
        Check("ping", "ping", "SUCCESS", ""),
        Check("tools-list", "tools-list", "FAILURE", "no tools"),
        Check("caching", "hints", "WARNING", "no hints"),
        Check("caching", "excused", "SKIPPED", "not here"),
    )
    verdict = Verdict(checks, frozenset({"prompts-list"}), {"excused": "why", "ping": "why"})
    assert verdict.surprises == [
        "tools-list: tools-list failure: no tools",
        "caching: hints warning: no hints",
        "ping passes: it needs no excuse any more",
        "prompts-list was not run",
    ]
