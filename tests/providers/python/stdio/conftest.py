from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from tests.providers.python.stdio.tiers import docker, host, sandbox_of

from gleitzeit_python.sandbox.base import Sandbox

__all__ = ["docker", "host", "sandbox", "tier"]


@pytest.fixture(params=["none", "docker", "wasm"])
def tier(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
async def sandbox(tier: str, request: pytest.FixtureRequest) -> AsyncIterator[Sandbox]:
    made = sandbox_of(tier, request)
    async with made.open():
        yield made
