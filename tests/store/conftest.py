"""Every kind of store, each held to the same contract."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gleitzeit.store.base import Store
from gleitzeit.store.memory import MemoryStore


@pytest.fixture(params=["memory"])
async def store(anyio_backend: str, request: pytest.FixtureRequest) -> AsyncIterator[Store]:
    kinds = {"memory": MemoryStore}
    opened = kinds[request.param]()
    await opened.open()
    yield opened
    await opened.close()
