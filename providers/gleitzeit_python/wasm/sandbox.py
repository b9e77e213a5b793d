"""`WasmSandbox`: the tier `wasm`."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup

from gleitzeit.core.errors import ProviderUnavailableError
from gleitzeit_python.broker.document import document_of
from gleitzeit_python.broker.frames import framed
from gleitzeit_python.broker.quota import Quota
from gleitzeit_python.sandbox.base import Host, Job, Outcome, Sandbox, Tier
from gleitzeit_python.stdio.process import ProcessLine
from gleitzeit_python.stdio.session import StreamSession
from gleitzeit_python.wasm.runtime import availability, started

_WORK = "/data"
_LIBRARIES = "/lib.d"
_GIVEN = "/given"
_LEAST_MEMORY = 48 << 20
"""What the interpreter itself needs to begin."""


class WasmSandbox(Sandbox):
    """Processes that hold the runtime; each job has an instance of its own, and no process is used once it failed.

    `processes` is how many are kept once they are there; `uses` after how many jobs one is replaced.
    """

    tier: Tier = "wasm"

    def __init__(self, processes: int = 2, uses: int = 200, quota: Quota | None = None) -> None:
        self._kept = processes
        self._uses = uses
        self._quota = quota or Quota()
        self._idle: deque[tuple[ProcessLine, int]] = deque()
        self._group: TaskGroup | None = None

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[None]:
        """Start one process; at the end all of them are gone."""
        able = availability()
        if not able.available:
            raise ProviderUnavailableError(able.reason, hint=able.hint)
        try:
            async with anyio.create_task_group() as group:
                self._group = group
                await self._begin_one()
                try:
                    yield
                finally:
                    self._group = None
                    group.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                while self._idle:
                    await self._idle.popleft()[0].kill()

    async def run(self, job: Job, host: Host) -> Outcome:
        """Carry a job out in an instance of its own."""
        if self._group is None:
            raise ProviderUnavailableError("the sandbox is closed")
        frame = self._frame(job)
        line, used = await self._taken()
        session = StreamSession(line, frame, job, host, self._quota, self.facts())
        try:
            return await session.run()
        finally:
            with anyio.CancelScope(shield=True):
                await self._back(line, used + 1, clean=session.clean)

    def facts(self) -> Mapping[str, Any]:
        """What an instance has."""
        return {"tier": self.tier, "network": "none", "subprocesses": False, "packages": "none"}

    async def _taken(self) -> tuple[ProcessLine, int]:
        while self._idle:
            line, used = self._idle.popleft()
            if line.alive:
                return line, used
            await line.kill()
        return await started(), 0

    async def _back(self, line: ProcessLine, used: int, *, clean: bool) -> None:
        if clean and line.alive and self._group is not None and used < self._uses and len(self._idle) < self._kept:
            self._idle.append((line, used))
            return
        await line.kill()
        if self._group is not None and not self._idle:
            self._group.start_soon(self._replace)

    async def _begin_one(self) -> None:
        self._idle.append((await started(), 0))

    async def _replace(self) -> None:
        """Start one before it is needed; where that fails, whoever needs it is told."""
        with suppress(ProviderUnavailableError):
            await self._begin_one()

    def _frame(self, job: Job) -> bytes:
        libraries: dict[str, Path] = {f"{_LIBRARIES}/{index}": path for index, path in enumerate(job.python_path)}
        folders = {f"{_WORK}/{name}": path for name, path in job.files.items() if path.is_dir()}
        copied = {name: f"{_GIVEN}/{index}/{path.name}" for index, (name, path) in enumerate(_single(job))}
        volumes = folders | libraries | {copied[name]: path for name, path in _single(job)}
        extra = {"volumes": {target: str(path) for target, path in volumes.items()}, "copies": copied}
        memory = max(job.limits.memory, _LEAST_MEMORY)
        return framed({**document_of(job, list(libraries), memory=memory), **extra})


def _single(job: Job) -> list[tuple[str, Path]]:
    """Files by their names inside, which the runtime can't mount into the folder of work: they are copied there."""
    return [(name, path) for name, path in job.files.items() if not path.is_dir()]
