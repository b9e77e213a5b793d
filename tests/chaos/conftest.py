"""Chance that can be repeated, the size of the suite, and servers that do not outlive their test."""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.chaos.processes import Fleet, Setup
from tests.chaos.witness import Witness

from gleitzeit.store.base import HEARTBEAT, LEASE
from gleitzeit.store.sqlite.database import PATIENCE

SEED = "GLEITZEIT_CHAOS_SEED"
WHOLE = os.environ.get("GLEITZEIT_CHAOS") == "full"


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """What chance starts from; a failure shows it, and the environment can set it."""
    number = int(os.environ.get(SEED) or secrets.randbelow(1_000_000))
    request.node.add_report_section("setup", "chaos", f"again with {SEED}={number}")
    return number


@pytest.fixture
def chance(seed: int) -> random.Random:
    """The chance of the harness itself; each client has its own."""
    return random.Random(seed)


@pytest.fixture
def whole() -> bool:
    """Whether the suite runs at its full size."""
    return WHOLE


@pytest.fixture
def setup(tmp_path: Path) -> Setup:
    """A database and a witness of the test alone; at its full size the suite waits as long as it really takes."""
    whole = {"lease": LEASE, "heartbeat": HEARTBEAT, "patience": PATIENCE}
    options = whole if WHOLE else {"lease": 2.0, "heartbeat": 0.5, "patience": PATIENCE / 10}
    return Setup(tmp_path / "gleitzeit.db", tmp_path / "witness.jsonl", options)


@pytest.fixture
def witness(setup: Setup) -> Witness:
    """What tasks really did."""
    return Witness(setup.witness)


@pytest.fixture
async def fleet(anyio_backend: str, setup: Setup) -> AsyncIterator[Fleet]:
    """Servers on one database."""
    async with Fleet(setup) as servers:
        yield servers
