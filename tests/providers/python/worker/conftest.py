"""Fork servers of both tiers, as the user who runs the tests and as nobody."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import pytest
from tests.security.conftest import WHOLE
from tests.security.raw import Server, pythons, usable

ROOT = sys.platform == "linux" and os.geteuid() == 0
SMALL = [("ns", "as it is"), ("ll", "nobody" if ROOT else "as it is")]
"""A tier, and the user of its fork server; only root can have another."""

ALL = [(tier, user) for tier in ("ns", "ll") for user in ("as it is", "nobody") if ROOT or user == "as it is"]
STANDINGS = ALL if WHOLE else SMALL


@pytest.fixture(scope="session", params=STANDINGS, ids="-".join)
def standing(request: pytest.FixtureRequest) -> tuple[str, str]:
    if sys.platform != "linux":
        pytest.skip("these tiers are Linux's")
    tier, user = request.param
    return tier, user


@pytest.fixture(scope="session")
def tier(standing: tuple[str, str]) -> str:
    return standing[0]


@pytest.fixture(scope="session")
def user(standing: tuple[str, str]) -> str | None:
    return "nobody" if standing[1] == "nobody" else None


@pytest.fixture(scope="session")
def python(user: str | None) -> str:
    """An interpreter that this user can run."""
    if user is None:
        return sys.executable
    found = next((python for python in pythons() if usable(python, user)), None)
    if found is None:
        pytest.skip("nobody can run no Python here, or cannot read this checkout")
    return found


@pytest.fixture(scope="session")
def server(tier: str, user: str | None, python: str) -> Iterator[Server]:
    with Server(tier, python=python, user=user) as server:
        if not server.ready:
            pytest.skip(f"{tier} cannot be had here: {server.facts}")
        yield server
