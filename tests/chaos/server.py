"""A server to be mistreated: a local engine on an SQLite file, which answers requests on its standard streams.

A request is a JSON line with `id` and `op`; an answer has the same `id` and `result` or `error`. `events` come one by
one under `event` before their `result`.
"""

from __future__ import annotations

import json
import mmap
import os
import struct
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import anyio
from anyio.abc import TaskGroup
from tests.chaos.chaos_provider import ChaosProvider, register

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.models import Failure, Run, Workflow
from gleitzeit.engine.base import Engine, Resumption, Submission
from gleitzeit.registry import ProtocolProviderRegistry
from gleitzeit.store import base


def shift_time(path: Path) -> None:
    """Have the clock on the wall of this process follow the offset, a double, that stands in a shared file."""
    with path.open("rb") as file:
        offset = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
    real = time.time
    time.time = lambda: real() + float(struct.unpack_from("d", offset)[0])


def say(**fields: Any) -> None:
    """Send one line."""
    sys.stdout.write(json.dumps(fields) + "\n")
    sys.stdout.flush()


class Desk:
    """Carries out requests."""

    def __init__(self, engine: Engine, provider: ChaosProvider) -> None:
        self._engine = engine
        self._provider = provider
        self._operations: dict[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            "submit": self._submit,
            "get": self._get,
            "wait": self._wait,
            "list": self._list,
            "cancel": self._cancel,
            "resume": self._resume,
            "open": self._open,
            "ping": self._ping,
        }

    async def serve(self) -> None:
        """Answer until standard input ends."""
        async with anyio.create_task_group() as group:
            async for line in anyio.wrap_file(sys.stdin):
                self._start(group, json.loads(line))
            group.cancel_scope.cancel()

    def _start(self, group: TaskGroup, request: dict[str, Any]) -> None:
        group.start_soon(self._tell if request["op"] == "events" else self._answer, request)

    async def _answer(self, request: dict[str, Any]) -> None:
        try:
            say(id=request["id"], result=await self._operations[request["op"]](request))
        except GleitzeitError as error:
            say(id=request["id"], error=Failure.of(error).to_dict())

    async def _tell(self, request: dict[str, Any]) -> None:
        try:
            async for event in self._engine.events(request["run_id"], request.get("after", 0)):
                say(id=request["id"], event=event.to_dict())
            say(id=request["id"], result=None)
        except GleitzeitError as error:
            say(id=request["id"], error=Failure.of(error).to_dict())

    async def _submit(self, request: dict[str, Any]) -> Any:
        document = Workflow.model_validate(request["document"])
        submission = Submission(document, request.get("inputs", {}), idempotency_key=request.get("key"))
        return shown(await self._engine.submit(submission))

    async def _get(self, request: dict[str, Any]) -> Any:
        return shown(await self._engine.get(request["run_id"]))

    async def _wait(self, request: dict[str, Any]) -> Any:
        return shown(await self._engine.wait(request["run_id"], request.get("timeout")))

    async def _list(self, request: dict[str, Any]) -> Any:
        page = await self._engine.list(status=request.get("status"), limit=request.get("limit", 100))
        return [asdict(run) for run in page.runs]

    async def _cancel(self, request: dict[str, Any]) -> Any:
        return shown(await self._engine.cancel(request["run_id"], request.get("reason", "")))

    async def _resume(self, request: dict[str, Any]) -> Any:
        resumption = Resumption(unknown=request.get("unknown", {}), from_task=request.get("from_task"))
        return shown(await self._engine.resume(request["run_id"], resumption))

    async def _open(self, request: dict[str, Any]) -> Any:
        self._provider.gate(request["gate"]).set()

    async def _ping(self, request: dict[str, Any]) -> Any:
        return os.getpid()


def shown(run: Run) -> dict[str, Any]:
    """A run as an answer has it."""
    return run.to_dict()


def shorten_leases(lease: float, heartbeat: float) -> None:
    """Have leases last so long; whatever is imported from then on goes by that."""
    base.LEASE = lease
    base.HEARTBEAT = heartbeat


async def main(setup: dict[str, Any]) -> None:
    """Serve on the database of the setup."""
    from gleitzeit.application.workflow_provider import register_workflows  # after the leases were set
    from gleitzeit.engine.local import LocalEngine
    from gleitzeit.store.owners import this_process
    from gleitzeit.store.sqlite import SqliteStore

    registry = ProtocolProviderRegistry()
    provider = register(registry, setup.get("serves"))
    register_workflows(registry)
    store = SqliteStore(Path(setup["database"]), patience=setup["patience"])
    async with registry.running(), LocalEngine(registry, store, owner=this_process()) as engine:
        say(ready=os.getpid())
        await Desk(engine, provider).serve()


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    shorten_leases(given["lease"], given["heartbeat"])
    if given.get("offset"):
        shift_time(Path(given["offset"]))
    anyio.run(main, given)
