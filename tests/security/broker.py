"""A provider in this process, and the engine's stand-in behind it, for what code sends to the broker."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import pytest
from tests.providers.python.conftest import Engine, running

from gleitzeit.core.errors import GleitzeitError
from gleitzeit.providers.base import TaskContext, enter_task
from gleitzeit_python import PythonProvider

SEND = """
import json, os
def send(frame, end=b"\\n"):
    data = (frame if isinstance(frame, bytes) else json.dumps(frame).encode()) + end
    while data: data = data[os.write(3, data):]
def wait(): __import__("time").sleep(30)
"""
"""What code that forges frames begins with."""


@dataclass
class Broker:
    """Runs code as a task of its own each time; `task` is the last one."""

    provider: PythonProvider
    engine: Engine
    root: Path
    task: TaskContext

    async def run(self, code: str, **parameters: Any) -> Any:
        """The result of code that may send frames of its own."""
        self.task = TaskContext(run_id="run", task_id="task", roots=(self.root,), support=self.engine)
        leave = enter_task(self.task)
        try:
            return await self.provider.handle_request(
                "python/execute", {"code": SEND + code, "timeout": 20} | parameters
            )
        finally:
            leave()

    async def refused(self, code: str, **parameters: Any) -> GleitzeitError:
        """The error that code ends with; the next code runs, as if nothing had been."""
        with pytest.raises(GleitzeitError) as caught:
            await self.run(code, **parameters)
        await self.works()
        return caught.value

    async def works(self) -> None:
        """Whether an honest job gets what it asks for, and that soon."""
        before, self.engine.answer = self.engine.answer, _echo
        with anyio.fail_after(15):
            assert await self.run("result = await call('a/b', x=1)") == {"method": "a/b", "x": 1}
        self.engine.answer = before


async def _echo(method: str, parameters: Mapping[str, Any]) -> Any:
    return {"method": method, **parameters}


@asynccontextmanager
async def brokered(root: Path, **settings: Any) -> AsyncGenerator[Broker]:
    """One that is warm."""
    async with running({"workers": 2, **settings}) as provider:
        broker = Broker(provider, Engine(), root, TaskContext())
        await broker.works()
        yield broker


def frame(**fields: Any) -> str:
    """Code that sends one frame."""
    return f"send(json.loads({json.dumps(json.dumps(fields))}))\n"


def sent(data: bytes) -> str:
    """Code that sends one line."""
    return f"send({data!r})\n"


async def in_time(act: Callable[[], Awaitable[object]], seconds: float) -> bool:
    """Whether something was done before it was cancelled."""
    with anyio.move_on_after(seconds) as scope:
        await act()
    return not scope.cancelled_caught


class Heart:
    """Beats all the time; `missed` is the longest that it had to wait, in seconds."""

    def __init__(self) -> None:
        self.missed = 0.0

    async def beat(self) -> None:
        """Until cancelled."""
        while True:
            begin = anyio.current_time()
            await anyio.sleep(0.005)
            self.missed = max(self.missed, anyio.current_time() - begin - 0.005)


@asynccontextmanager
async def beating() -> AsyncGenerator[Heart]:
    """A heart that beats meanwhile."""
    heart = Heart()
    async with anyio.create_task_group() as group:
        group.start_soon(heart.beat)
        yield heart
        group.cancel_scope.cancel()
