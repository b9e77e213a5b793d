"""Which tier a request gets: the best there is, never a weaker one than is asked for."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus

from gleitzeit.core.errors import ForbiddenError, GleitzeitError, ProviderUnavailableError, UnsupportedError
from gleitzeit.core.findings import Finding
from gleitzeit_python.config import PythonSettings
from gleitzeit_python.examination import examine
from gleitzeit_python.sandbox.base import Host, Job, Outcome, Sandbox, Tier
from gleitzeit_python.tiers import Tiers, Wanted

pytestmark = pytest.mark.anyio


class Fake(Sandbox):
    def __init__(self, tier: Tier, works: bool) -> None:
        self.tier = tier
        self.works = works

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Open, or fail to."""
        if not self.works:
            raise ProviderUnavailableError(f"no {self.tier} here", hint="get it")
        yield

    async def run(self, job: Job, host: Host) -> Outcome:
        """Answer what the trial wants to hear."""
        return Outcome("exited", 0, 42)

    def facts(self) -> Mapping[str, Any]:
        """None."""
        return {"tier": self.tier}


async def chosen(available: set[Tier], settings: Mapping[str, Any], wanted: Wanted | None = None) -> Tier:
    tiers = Tiers(PythonSettings.model_validate(settings), lambda tier: Fake(tier, tier in available))
    found: Tier | GleitzeitError = UnsupportedError("nothing was asked")
    async with served(tiers):
        found = await outcome_of(tiers, wanted or Wanted())
    if isinstance(found, GleitzeitError):
        raise found
    return found


@asynccontextmanager
async def served(tiers: Tiers) -> AsyncGenerator[None]:
    async def serve(*, task_status: TaskStatus[None]) -> None:
        await tiers.serve(task_status=task_status)

    async with anyio.create_task_group() as group:
        await group.start(serve)
        yield
        group.cancel_scope.cancel()


async def outcome_of(tiers: Tiers, wanted: Wanted) -> Tier | GleitzeitError:
    """The tier, or the error: a task group would wrap it."""
    try:
        return (await tiers.sandbox(wanted)).tier
    except GleitzeitError as error:
        return error


@pytest.fixture(autouse=True)
def on_linux(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gleitzeit_python.tiers.sys.platform", "linux")


@pytest.mark.parametrize(
    ("available", "settings", "tier"),
    [
        ({"ns", "ll"}, {}, "ns"),
        ({"ll"}, {}, "ll"),
        ({"wasm"}, {}, "wasm"),
        ({"docker"}, {"docker": {}}, "docker"),
        ({"ns", "docker"}, {"docker": {}, "min_tier": "docker"}, "docker"),
        ({"ns", "none"}, {"sandbox": False}, "none"),
        ({"ns", "ll"}, {"tier": "ll"}, "ll"),
    ],
)
async def test_the_best_is_taken(available: set[Tier], settings: Mapping[str, Any], tier: Tier) -> None:
    assert await chosen(available, settings) == tier


NOTHING: set[Tier] = set()


@pytest.mark.parametrize(
    ("available", "settings", "wanted"),
    [
        (NOTHING, {}, Wanted()),
        ({"none", "docker"}, {}, Wanted()),
        ({"ll"}, {"min_tier": "ns"}, Wanted()),
        ({"ll"}, {}, Wanted(min_tier="ns")),
        ({"ns", "ll"}, {}, Wanted(min_tier="docker")),
        ({"none"}, {"sandbox": False}, Wanted(min_tier="ll")),
        ({"ns"}, {"tier": "ll"}, Wanted()),
    ],
)
async def test_where_nothing_is_strong_enough_nothing_runs(
    available: set[Tier], settings: Mapping[str, Any], wanted: Wanted
) -> None:
    with pytest.raises(UnsupportedError, match="there is no sandbox for this code"):
        await chosen(available, settings, wanted)


async def test_a_request_may_ask_for_a_stronger_tier_and_for_no_weaker_one() -> None:
    assert await chosen({"ns", "docker"}, {"docker": {}}, Wanted(tier="docker")) == "docker"
    with pytest.raises(ForbiddenError, match="weaker than where"):
        await chosen({"ns", "ll"}, {}, Wanted(tier="ll"))
    with pytest.raises(ForbiddenError, match="weaker than where"):  # also while what is configured is away
        await chosen({"ns", "ll"}, {"tier": "docker", "docker": {}}, Wanted(tier="ll"))
    with pytest.raises(ForbiddenError, match="weaker than where"):
        await chosen({"none"}, {}, Wanted(tier="none"))


async def test_a_tier_that_breaks_is_tried_again_for_whoever_looks() -> None:
    works = Fake("ns", False)
    tiers = Tiers(PythonSettings(tier="ns"), lambda tier: works)
    async with served(tiers):
        assert "no ns here" in str(await outcome_of(tiers, Wanted()))
        works.works = True
        assert (await tiers.availability("ns")).available
        assert await outcome_of(tiers, Wanted()) == "ns"


async def test_an_examination_says_what_there_is_and_what_not() -> None:
    settings = PythonSettings(min_tier="ns")
    tiers = Tiers(settings, lambda tier: Fake(tier, tier == "ll"))
    findings: dict[str, Finding] = {}
    async with served(tiers):
        findings = {finding.subject: finding for finding in await examine(settings, tiers)}
    assert findings["python"].level == "error"
    assert (findings["python tier ns"].level, findings["python tier ns"].fix) == ("error", "get it")
    assert findings["python tier ll"].level == "ok"
