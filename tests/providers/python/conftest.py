"""A provider that runs, and a task whose code it carries out."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskStatus

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.core.models import Run, Workflow
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit_python import PythonProvider

Execute = Callable[..., Awaitable[Any]]
Start = Callable[..., Awaitable[PythonProvider]]

if sys.platform != "linux":
    collect_ignore = ["test_kernel.py", "test_pool.py", "test_execute.py", "test_calls.py", "test_files.py"]


class Engine:
    """Stands in for the engine: answers calls and questions, and keeps what was reported."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Mapping[str, Any]]] = []
        self.reports: list[tuple[float | None, float | None, str | None]] = []
        self.reported = anyio.Event()
        self.in_flight = self.most_in_flight = 0
        self.answer: Callable[[str, Mapping[str, Any]], Awaitable[Any]] = self._echo

    async def _echo(self, method: str, parameters: Mapping[str, Any]) -> Any:
        return {"method": method, **parameters}

    async def progress(self, done: float | None, total: float | None, message: str | None) -> None:
        """Keep one report."""
        self.reports.append((done, total, message))
        self.reported.set()

    async def start_child(self, method: str, parameters: Mapping[str, Any]) -> Any:
        """Answer a call."""
        self.calls.append((method, parameters))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await anyio.lowlevel.checkpoint()
            return await self.answer(method, parameters)
        finally:
            self.in_flight -= 1

    async def start_workflow(self, workflow: Workflow, inputs: Mapping[str, Any]) -> Run:
        """Not for these tests."""
        raise NotImplementedError(workflow, inputs)

    async def ask(self, message: str, schema: Mapping[str, Any] | None, **_: Any) -> dict[str, Any]:
        """Answer a question."""
        return {"asked": message}


@pytest.fixture
async def engine() -> Engine:
    return Engine()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folder that paths in requests may lie in."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
async def task(root: Path, engine: Engine) -> AsyncIterator[TaskContext]:
    """The task that the test's requests belong to."""
    context = TaskContext(run_id="run", task_id="code", roots=(root,), support=engine)
    leave = enter_task(context)
    yield context
    leave()


@asynccontextmanager
async def running(config: Mapping[str, Any]) -> AsyncGenerator[PythonProvider]:
    provider = PythonProvider("python", config)

    async def serve(*, task_status: TaskStatus[None]) -> None:
        await provider.serve(task_status=task_status)

    async with anyio.create_task_group() as group:
        await group.start(serve)
        yield provider
        group.cancel_scope.cancel()


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts a provider with a configuration; it is stopped after the test."""
    async with AsyncExitStack() as stack:

        async def begin(**config: Any) -> PythonProvider:
            return await stack.enter_async_context(running(config))

        yield begin


@pytest.fixture
async def execute(start: Start, task: TaskContext) -> Execute:
    """Runs code, with the parameters as keywords, in the best sandbox of this machine."""
    provider = await start(workers=2)

    async def run(code: str | None = None, **parameters: Any) -> Any:
        given = {**parameters} if code is None else {"code": code, **parameters}
        await provider.validate_request("python/execute", given)
        return await provider.handle_request("python/execute", given)

    return run


@pytest.fixture
def refused(execute: Execute) -> Callable[..., Awaitable[GleitzeitError]]:
    """The error that code, or its parameters, ends with."""

    async def run(code: str | None = None, **parameters: Any) -> GleitzeitError:
        with pytest.raises(GleitzeitError) as caught:
            await execute(code, **parameters)
        return caught.value

    return run
