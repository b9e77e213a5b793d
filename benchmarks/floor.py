"""The least that a durable engine on SQLite can do: one thread that writes all that has gathered as one transaction.

No limits, retries, timeouts, validation or recovery; but a task's result and its event are on the disk before
whatever depends on it starts.
"""

from __future__ import annotations

import asyncio
import json
import sqlite3
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks import contender
from benchmarks.contender import PAYLOAD, Contender, Shape, Work

TABLES = """
CREATE TABLE run (id TEXT PRIMARY KEY, state TEXT, document TEXT, created REAL);
CREATE TABLE task (
    run TEXT, key TEXT, state TEXT, attempts INTEGER, result TEXT, PRIMARY KEY (run, key)
) WITHOUT ROWID;
CREATE TABLE event (seq INTEGER PRIMARY KEY, run TEXT, task TEXT, kind TEXT, at REAL, body TEXT);
"""
BEGIN_RUN = "INSERT INTO run VALUES (?, ?, ?, ?)"
END_RUN = "UPDATE run SET state = ? WHERE id = ?"
END_TASK = """
INSERT INTO task VALUES (?, ?, ?, ?, ?)
ON CONFLICT (run, key) DO UPDATE SET state = excluded.state, attempts = excluded.attempts, result = excluded.result
"""
TELL = "INSERT INTO event (run, task, kind, at) VALUES (?, ?, ?, ?)"

RESULT = json.dumps({"r": PAYLOAD})

Statement = tuple[str, tuple[Any, ...]]


class Writer:
    """Owns the connection; a write is over once the transaction that it fell into is on the disk."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[tuple[Sequence[Statement], asyncio.Future[None]]] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def write(self, *statements: Statement) -> asyncio.Future[None]:
        """Have statements written together; the future is done when they are durable."""
        durable = self._loop.create_future()
        self._waiting.append((statements, durable))
        if not self._wake.is_set():
            self._wake.set()
        return durable

    async def close(self) -> None:
        """Write what is left and end the thread."""
        self._closing = True
        self._wake.set()
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 4000")
        connection.executescript(TABLES)
        while not self._closing or self._waiting:
            self._wake.wait()
            self._wake.clear()
            gathered = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if gathered:
                self._commit(connection, gathered)
        connection.close()

    def _commit(
        self, connection: sqlite3.Connection, gathered: Sequence[tuple[Sequence[Statement], asyncio.Future[None]]]
    ) -> None:
        execute = connection.execute
        execute("BEGIN IMMEDIATE")
        for statements, _ in gathered:
            for sql, values in statements:
                execute(sql, values)
        execute("COMMIT")
        self._loop.call_soon_threadsafe(resolve, [durable for _, durable in gathered])


def resolve(futures: Sequence[asyncio.Future[None]]) -> None:
    """Let everybody go on whose write is durable."""
    for future in futures:
        if not future.done():
            future.set_result(None)


class FloorRun:
    """One run: a task starts when the results of all its dependencies are durable."""

    def __init__(self, writer: Writer, run_id: str, dependencies: Mapping[str, Sequence[str]]) -> None:
        self._writer = writer
        self._id = run_id
        self._missing = {task: len(needed) for task, needed in dependencies.items()}
        self._dependents: dict[str, list[str]] = {task: [] for task in dependencies}
        for task, needed in dependencies.items():
            for other in needed:
                self._dependents[other].append(task)
        self._left = len(dependencies)
        self._running: set[asyncio.Task[None]] = set()
        self._over = asyncio.get_running_loop().create_future()

    async def carry_out(self) -> None:
        """Run all tasks."""
        document = json.dumps({"tasks": self._left})
        await self._writer.write((BEGIN_RUN, (self._id, "running", document, time.time())))
        for task, missing in self._missing.items():
            if not missing:
                self._start(task)
        await self._over
        await self._writer.write((END_RUN, ("completed", self._id)))

    def _start(self, task: str) -> None:
        running = asyncio.create_task(self._run(task))
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    async def _run(self, task: str) -> None:
        result = await answer({})
        await self._writer.write(
            (END_TASK, (self._id, task, "completed", 1, result)), (TELL, (self._id, task, "completed", time.time()))
        )
        self._left -= 1
        for dependent in self._dependents[task]:
            self._missing[dependent] -= 1
            if not self._missing[dependent]:
                self._start(dependent)
        if not self._left:
            self._over.set_result(None)


async def answer(_: Mapping[str, Any]) -> str:
    """What every task does: its result is JSON already."""
    return RESULT


class Floor(Contender):
    """Carries out the shapes without a limit on how many tasks run at once."""

    version = f"SQLite {sqlite3.sqlite_version}"

    def __init__(self, folder: Path) -> None:
        self._path = folder / "floor.db"
        self._ids = count()

    async def __aenter__(self) -> Self:
        self._writer = Writer(self._path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._writer.close()

    async def prepare(self, shape: Shape, tasks: int) -> Work:
        """A run of so many tasks, or of one."""
        names = [f"t{number}" for number in range(1 if shape is Shape.SINGLE else tasks)]
        before = ["", *names] if shape is Shape.CHAIN else [""] * len(names)
        dependencies = {name: (earlier,) if earlier else () for name, earlier in zip(names, before, strict=False)}

        async def work() -> None:
            await FloorRun(self._writer, f"run{next(self._ids)}", dependencies).carry_out()

        return work


if __name__ == "__main__":
    contender.main(Floor)
