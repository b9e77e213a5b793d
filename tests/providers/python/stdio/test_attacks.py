"""Hostile code in the tiers `docker` and `wasm`: what each leaves open is listed, and nothing else is."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.providers.python.stdio.tiers import Asked, sandbox_of
from tests.security.canaries import Canaries
from tests.security.cases.case import ESCAPED, Case
from tests.security.conftest import WHOLE, alive
from tests.security.corpus import CASES
from tests.security.left_open import OPEN

from gleitzeit_python.sandbox.base import Job, Limits, Sandbox

__all__ = ["alive"]

pytestmark = pytest.mark.timeout(600)

TIMEOUT = 4.0
GRACE = 2.0
CHOSEN = CASES if WHOLE else CASES[::6]


@pytest.fixture
async def boxes(request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    made = sandbox_of(request.param, request)
    async with made.open():
        yield made


@pytest.mark.anyio
@pytest.mark.parametrize("boxes", ["docker", "wasm"], indirect=True)
async def test_cases_do_not_get_through(boxes: Sandbox, alive: Canaries, host: Asked) -> None:
    found: dict[str, list[str]] = {}
    for case in CHOSEN:
        lines = [line for _ in range(case.times) for line in await _found(case, boxes, alive, host)]
        if lines:
            found[case.name] = lines
    known = OPEN[boxes.tier]
    assert {name: lines for name, lines in found.items() if name not in known} == {}
    assert [line for lines in found.values() for line in lines if line.startswith("host: ")] == []
    outcome = await boxes.run(Job("print(1 + 1)"), host)
    assert outcome.stdout == b"2\n"


async def _found(case: Case, box: Sandbox, alive: Canaries, host: Asked) -> list[str]:
    limits = Limits(timeout=TIMEOUT)
    job = Job(case.code, args=dict(alive.addresses), env=case.env, limits=limits, artifacts=["**"], interactive=False)
    outcome = await box.run(job, host)
    output = (outcome.stdout + outcome.stderr).decode("utf-8", "replace")
    found = [line for line in output.splitlines() if ESCAPED in line]
    found += [f"host: {hit}" for hit in alive.hits()]
    if outcome.duration > TIMEOUT + GRACE:
        found.append(f"host: it took {outcome.duration:.1f} s")
    if case.works and outcome.exit_code != 0:
        found.append(f"it did not succeed: {output[-300:]}")
    return found
