"""Every kind of store, each held to the same contract, and several of them on the same data."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from gleitzeit.store.base import Owner, Store
from gleitzeit.store.memory import MemoryStore
from gleitzeit.store.sqlite import SqliteStore


class Clock:
    """An uptime that goes on when a test says so."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Data:
    """What several stores share, each for an owner with a clock of its own."""

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._peer: MemoryStore | None = None
        self._open: list[Store] = []

    async def open(
        self, owner: Owner | str = "one", clock: Clock | None = None, changed: Callable[[], None] = lambda: None
    ) -> Store:
        store = self._make(clock or Clock())
        await store.open(Owner(owner) if isinstance(owner, str) else owner, changed)
        self._open.append(store)
        return store

    async def close(self, store: Store) -> None:
        self._open.remove(store)
        await store.close()

    async def close_all(self) -> None:
        while self._open:
            await self.close(self._open[-1])

    def _make(self, uptime: Clock) -> Store:
        if self._file is not None:
            return SqliteStore(self._file, uptime=uptime)
        self._peer = MemoryStore(peer=self._peer, uptime=uptime)
        return self._peer


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
async def data(anyio_backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Data]:
    data = Data(tmp_path / "gleitzeit.db" if request.param == "sqlite" else None)
    yield data
    await data.close_all()


@pytest.fixture
async def store(data: Data) -> Store:
    return await data.open()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where a database may be; its folder is not there yet."""
    return tmp_path / "home" / "gleitzeit.db"
