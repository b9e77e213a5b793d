"""Loaded models, as Ollama's scheduler keeps them: loads one after the other, and slots with a queue without end."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import anyio
from tests.providers.ollama.fake.counters import Counters
from tests.providers.ollama.fake.model import FakeModel
from tests.providers.ollama.fake.refusals import BUSY, RefusedError


class Runner:
    """One loaded model, with the options that it was loaded with."""

    def __init__(self, model: FakeModel, load: Mapping[str, Any], slots: int) -> None:
        self.model = model
        self.load = load
        self.slots = anyio.Semaphore(slots)
        self.users = 0
        self.expires = float("inf")
        self.idle = anyio.Event()
        self.idle.set()

    def enter(self) -> None:
        """One more request needs it."""
        self.users += 1
        if self.users == 1:
            self.idle = anyio.Event()

    def leave(self, keep_alive: float) -> None:
        """One less; it stays for `keep_alive` seconds more."""
        self.users -= 1
        self.expires = time.monotonic() + keep_alive
        if not self.users:
            self.idle.set()


class Runners:
    """All loaded models of a node."""

    def __init__(
        self, counters: Counters, *, num_parallel: int, max_queue: int, max_loaded: int, load_seconds: float
    ) -> None:
        self.num_parallel = num_parallel
        self.max_queue = max_queue
        self.max_loaded = max_loaded
        self.load_seconds = load_seconds
        self._counters = counters
        self._loaded: dict[str, Runner] = {}
        self._loading = anyio.Lock()
        self._pending = 0

    def loaded(self) -> list[Runner]:
        """Those in memory, the one that stays longest first."""
        now = time.monotonic()
        self._loaded = {name: runner for name, runner in self._loaded.items() if runner.users or runner.expires > now}
        return sorted(self._loaded.values(), key=lambda runner: -runner.expires)

    def unload(self, name: str) -> None:
        """Forget a model; who uses it still ends in peace."""
        self._loaded.pop(name, None)

    def put(self, model: FakeModel) -> None:
        """Have a model in memory from the start."""
        self._loaded[model.name] = Runner(model, {}, self.num_parallel)

    @asynccontextmanager
    async def using(self, model: FakeModel, load: Mapping[str, Any], keep_alive: float) -> AsyncGenerator[Runner]:
        """The model in memory for as long as this lasts; it is loaded first where it is not there so."""
        runner = self._usable(model, load) or await self._queued(model, load)
        runner.enter()
        try:
            yield runner
        finally:
            runner.leave(keep_alive)
            if not keep_alive and not runner.users:
                self.unload(model.name)

    def _usable(self, model: FakeModel, load: Mapping[str, Any]) -> Runner | None:
        self.loaded()
        runner = self._loaded.get(model.name)
        return runner if runner is not None and runner.load == load and runner.model == model else None

    async def _queued(self, model: FakeModel, load: Mapping[str, Any]) -> Runner:
        if self._pending >= self.max_queue:
            raise RefusedError(503, BUSY)
        self._pending += 1
        try:
            async with self._loading:
                return self._usable(model, load) or await self._load(model, load)
        finally:
            self._pending -= 1

    async def _load(self, model: FakeModel, load: Mapping[str, Any]) -> Runner:
        await self._make_room(model)
        seconds = self.load_seconds if model.load_seconds is None else model.load_seconds
        self._counters.loads[model.name] += 1
        self._counters.tell()
        if seconds:
            await anyio.sleep(seconds)
        runner = self._loaded[model.name] = Runner(model, load, self.num_parallel)
        return runner

    async def _make_room(self, model: FakeModel) -> None:
        """Another load of the same model, and more models than fit, go once nobody uses them."""
        while True:
            same = self._loaded.get(model.name)
            if same is None and len(self.loaded()) < self.max_loaded:
                return
            victim = same or min(self._loaded.values(), key=lambda runner: (runner.users > 0, runner.expires))
            await victim.idle.wait()
            if not victim.users:
                self.unload(victim.model.name)
