"""DBOS on SQLite: asynchronous steps in a workflow, as its documentation has it, with its own defaults.

Steps that wait for nobody are started in one `asyncio.gather`. Nothing is polled: workflows are awaited where they are
called. Logging is off.
"""

from __future__ import annotations

import asyncio
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import contender
from benchmarks.contender import PAYLOAD, Contender, Shape, Work

# Only there in the environment that this file is run in.
DBOS: Any = import_module("dbos").DBOS


async def answer() -> dict[str, str]:
    """What every step does."""
    return {"r": PAYLOAD}


step = DBOS.step()(answer)


async def wide(tasks: int) -> None:
    """All steps at once."""
    await asyncio.gather(*(step() for _ in range(tasks)))


async def chain(tasks: int) -> None:
    """One step after the other."""
    for _ in range(tasks):
        await step()


WORKFLOWS = {
    Shape.WIDE: DBOS.workflow()(wide),
    Shape.CHAIN: DBOS.workflow()(chain),
}


class Dbos(Contender):
    """One launched DBOS on a fresh file."""

    version = f"DBOS {version('dbos')}"

    def __init__(self, folder: Path) -> None:
        self._database = f"sqlite:///{folder / 'dbos.sqlite'}"

    async def __aenter__(self) -> Self:
        DBOS(config={"name": "bench", "system_database_url": self._database, "log_level": "CRITICAL"})
        DBOS.launch()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        DBOS.destroy()

    async def prepare(self, shape: Shape, tasks: int) -> Work:
        """A workflow of so many steps, or of one."""
        workflow = WORKFLOWS.get(shape, WORKFLOWS[Shape.CHAIN])

        async def work() -> None:
            await workflow(1 if shape is Shape.SINGLE else tasks)

        return work


if __name__ == "__main__":
    contender.main(Dbos)
