"""Runs the conformance suites, and says what each scenario came to: `make conformance`."""

from __future__ import annotations

import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import anyio
from mcp.shared.exceptions import MCPDeprecationWarning
from tests.conformance.expectations import Subject, Verdict, examine
from tests.conformance.suite import SUITE, Revision
from tests.node import unavailable


def main() -> int:
    """Run everything, and return 1 where something is not as expected."""
    reason = unavailable(SUITE)
    if reason is not None:
        sys.stdout.write(f"skipped: {reason}\n")
        return 0
    warnings.simplefilter("ignore", MCPDeprecationWarning)  # the fixtures log, as the suite wants it
    return anyio.run(_report)


async def _report() -> int:
    surprises = 0
    for subject in get_args(Subject):
        for revision in get_args(Revision):
            with tempfile.TemporaryDirectory() as folder:
                verdict = await examine(subject, revision, Path(folder))
            surprises += len(verdict.surprises)
            sys.stdout.write("\n".join(_lines(subject, revision, verdict)) + "\n\n")
    return 1 if surprises else 0


def _lines(subject: Subject, revision: Revision, verdict: Verdict) -> Iterator[str]:
    names = list(dict.fromkeys(check.scenario for check in verdict.checks))
    yield f"{subject}, {revision}: {len(names)} scenarios, {len(verdict.checks)} checks"
    for name in names:
        counts = Counter(check.status.lower() for check in verdict.checks if check.scenario == name)
        yield f"  {name:<48} {', '.join(f'{count} {status}' for status, count in counts.items())}"
    yield from (f"  expected: {name}: {' '.join(why.split())}" for name, why in verdict.expected.items())
    yield from (f"  NOT EXPECTED: {surprise}" for surprise in verdict.surprises)


if __name__ == "__main__":
    sys.exit(main())
